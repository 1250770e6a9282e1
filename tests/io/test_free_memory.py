"""The limits of containers and batch jobs count as the memory that is free."""

import pytest

from napari_nst.io import free_memory
from napari_nst.io.free_memory import free_host_memory

STATISTICS = "anon 1200\nfile 700\nkernel 100\nshmem 0\ninactive_file {}\nactive_file 100\n"
NO_LIMIT = 9223372036854771712  # the largest multiple of a page, which the first version writes


@pytest.fixture
def groups(monkeypatch, tmp_path):
    """Return a function that writes the files of a control group of either version."""
    monkeypatch.setattr(free_memory, "GROUPS", tmp_path)
    monkeypatch.setattr(free_memory, "OWN_GROUP", tmp_path / "cgroup")

    def write(path, limit, used, cache=0, version=2, high="max"):
        folder = tmp_path / path
        folder.mkdir(parents=True, exist_ok=True)
        if version == 1:
            (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
            (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
            statistics = f"inactive_file 7\nhierarchical_memory_limit {limit}\n"
            (folder / "memory.stat").write_text(f"{statistics}total_inactive_file {cache}\n")
        else:
            (folder / "memory.max").write_text(f"{limit}\n")
            (folder / "memory.high").write_text(f"{high}\n")
            (folder / "memory.current").write_text(f"{used}\n")
            (folder / "memory.stat").write_text(STATISTICS.format(cache))

    return write


def free_in(tmp_path, *own):
    (tmp_path / "cgroup").write_text("\n".join(own) + "\n")
    return free_host_memory()


def test_a_batch_jobs_limit_counts_as_what_is_free(groups, tmp_path):
    groups("job", 3000, 1000)
    assert free_host_memory() > 10**6  # no groups at all
    assert free_in(tmp_path, "0::/job") == 2000
    groups("job", "max", 1000)
    assert free_in(tmp_path, "0::/job") > 10**6
    groups("job", 3000, 3100)
    assert free_in(tmp_path, "0::/job") == 0


@pytest.mark.parametrize("version", [1, 2])
def test_files_in_the_page_cache_count_as_free(groups, tmp_path, version):
    folder, line = ("memory/job", "4:memory:/job") if version == 1 else ("job", "0::/job")
    groups(folder, 3000, 2900, cache=2500, version=version)
    assert free_in(tmp_path, "9:name=systemd:/job", "1:cpu,cpuacct:/", line) == 2600


def test_the_limit_of_a_parent_counts(groups, tmp_path):
    groups("user.slice", 5000, 4000, cache=100)
    groups("user.slice/session:1.scope", "max", 300)
    assert free_in(tmp_path, "0::/user.slice/session:1.scope") == 1100
    groups("user.slice/session:1.scope", "max", 300, high=900)
    assert free_in(tmp_path, "0::/user.slice/session:1.scope") == 600


def test_in_a_container_the_root_is_the_containers_own_group(groups, tmp_path):
    """A container of the first version names the host's path, which it cannot see."""
    groups("memory", 4000, 1500, version=1)
    assert free_in(tmp_path, "4:memory:/docker/8f2c", "0::/docker/8f2c") == 2500
    groups("", 3000, 1000)
    assert free_in(tmp_path, "0::/") == 2000


def test_a_system_of_the_first_version_without_limits_has_all_its_memory(groups, tmp_path):
    groups("memory", NO_LIMIT, 2 * 10**9, 10**9, version=1)
    groups("memory/job", NO_LIMIT, 10**9, version=1)
    assert free_in(tmp_path, "11:memory:/job", "nonsense" + ":" * 2) > 10**6
