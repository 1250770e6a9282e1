"""Count what keeps the package readable: lines, files, folders, and circles of imports.

Usage: python tools/structure.py. The exit status is 1 if modules import each other in a circle.
"""

import ast
import graphlib
import sys
from collections import Counter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1] / "src" / "napari_nst"


def docstring_lines(tree: ast.Module) -> int:
    """Count the lines of all docstrings in a module."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    owners = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    texts = [node.body[0] for node in owners if ast.get_docstring(node) is not None]
    return sum(text.end_lineno - text.lineno + 1 for text in texts)


def import_circle() -> list[str]:
    """Return the modules of one circle of imports, those under TYPE_CHECKING included."""
    graph = grimp.build_graph(ROOT.name, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


sources = {path.relative_to(ROOT): path.read_text() for path in ROOT.rglob("*.py")}
tests = [path.read_text() for path in (ROOT.parents[1] / "tests").rglob("*.py")]
lines = Counter({path: text.count("\n") for path, text in sources.items()})
folders = Counter(path.parent for path in sources if path.name != "__init__.py")
docstrings = sum(docstring_lines(ast.parse(text)) for text in sources.values())
circle = import_circle()

print(f"source: {lines.total()} lines in {len(lines)} files, {docstrings} lines are docstrings")
print(f"tests: {sum(text.count(chr(10)) for text in tests)} lines in {len(tests)} files")
for package, count in Counter(
    {folder: sum(n for path, n in lines.items() if folder in path.parents) for folder in folders}
).most_common():
    print(f"  {count:6} lines  {folders[package]:3} modules  {package}")
print("longest files:", ", ".join(f"{path} {count}" for path, count in lines.most_common(5)))
print("import circle:", " → ".join(circle) or "none")
sys.exit(bool(circle))
