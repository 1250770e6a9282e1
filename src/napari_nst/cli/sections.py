"""Options under headings, so that a command with many of them still has a help to read."""

from __future__ import annotations

from typing import Any

import click

OTHER = "Other"


class SectionOption(click.Option):
    """An option that says under which heading it belongs.

    Parameters
    ----------
    section : str
        The heading.
    """

    def __init__(self, *declarations: Any, section: str = OTHER, **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help has a section for each heading, in the order of their first options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            line = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and line is not None:
                sections.setdefault(getattr(parameter, "section", OTHER), []).append(line)
        for title, lines in sections.items():
            with formatter.section(title):
                formatter.write_dl(lines)
