#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What programs say of a process that has guards is what its smaps says."""

import ctypes
import mmap
import re
import subprocess
import sys
import traceback

import psutil

MADV_GUARD_INSTALL, MADV_GUARD_REMOVE = 102, 103
PR_SET_THP_DISABLE = 41
PAGE = mmap.PAGESIZE
# How many guards the mappings have. The last one has none any more, but the flag.
GUARDS = (mmap.MAP_PRIVATE, 2), (mmap.MAP_SHARED, 3), (mmap.MAP_SHARED, 0)

# Fields that other processes change, if they have the pages, too.
OF_OTHERS = {"Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced"}
# Fields that are no sizes.
NUMBERS = {"THPeligible", "ProtectionKey"}


def hold():
    """Is the process that is looked at."""
    # khugepaged would change it meanwhile.
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    mappings = []
    for flags, guards in GUARDS:
        mapping = mmap.mmap(-1, 8 * PAGE, flags | mmap.MAP_ANONYMOUS)
        mapping.write(b"x" * 8 * PAGE)
        mapping.madvise(MADV_GUARD_INSTALL, PAGE, 4 * PAGE)
        mapping.madvise(MADV_GUARD_REMOVE, PAGE, (4 - guards) * PAGE)
        mappings.append(mapping)
    print("ready", flush=True)
    sys.stdin.read()


def read_smaps(pid):
    """Gives the fields of each mapping, by its first address."""
    mappings = {}
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as smaps:
        for line in smaps:
            name, *values = line.split()
            if name.endswith(":"):
                fields[name[:-1]] = values if name == "VmFlags:" else int(values[0])
            else:
                fields = mappings[first_address(name)] = {}
    return mappings


def first_address(text):
    return int(text.split("-")[0], 16)


def run(*command):
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"status {done.returncode}: {done.stdout[-400:]}{done.stderr}"
    return done.stdout


def compare(said, smaps):
    """Compares what was said of each mapping with smaps."""
    assert said.keys() == smaps.keys(), f"mappings: {said.keys() ^ smaps.keys()}"
    for address, fields in said.items():
        real = smaps[address]
        alone = real["Rss"] == real["Anonymous"]
        wrong = {name: value for name, value in fields.items()
                 if value != real[name] and (alone or name not in OF_OTHERS)}
        assert not wrong, f"{address:x}: {wrong} said of {real}"


def each_mapping_has_the_same_fields(_, smaps):
    first = list(next(iter(smaps.values())))
    for address, fields in smaps.items():
        assert list(fields) == first, f"{address:x}: {list(fields)}, the first: {first}"


def the_guards_are_counted(_, smaps):
    with_flag = [fields["Guard"] for fields in smaps.values() if "gu" in fields["VmFlags"]]
    assert sorted(with_flag) == sorted(guards * PAGE // 1024 for _, guards in GUARDS), with_flag
    assert sum(with_flag) == sum(fields["Guard"] for fields in smaps.values())


def pmap(option, pid):
    """Gives the columns behind that of inodes, but the name."""
    _, head, *rows, _, _ = run("pmap", option, pid).splitlines()
    names = head.split()[5:-1]
    said = {}
    for row in rows:
        words = row.split()
        fields = said[first_address(words[0])] = dict(zip(names, words[5:]))
        for name in fields:
            fields[name] = int(fields[name]) if name != "VmFlags" else [
                word for word in words[5 + names.index(name):] if len(word) == 2]
    return said


def pmap_some(pid, smaps):
    said = pmap("-X", pid)
    compare(said, smaps)
    assert all("Guard" in fields for fields in said.values()), "no column Guard"


def pmap_all(pid, smaps):
    said = pmap("-XX", pid)
    compare(said, smaps)
    for address, fields in said.items():
        assert list(fields) == list(smaps[address]), f"{address:x}: {list(fields)}"


def pmap_extended(pid, smaps):
    _, _, *rows, _, _ = run("pmap", "-x", pid).splitlines()
    said = {}
    for address, size, rss, *_ in map(str.split, rows):
        said[first_address(address)] = {"Size": int(size), "Rss": int(rss)}
    compare(said, smaps)


def psutil_maps(pid, smaps):
    said = {}
    for mapping in psutil.Process(int(pid)).memory_maps(grouped=False):
        fields = mapping._asdict()
        address = first_address(fields["addr"])
        said[address] = {name.title(): value // 1024
                         for name, value in fields.items() if name not in ("addr", "perms", "path")}
    compare(said, smaps)


def smem(pid, smaps):
    rows = map(str.split, run("smem", "-H", "-c", "pid rss swap").splitlines())
    said = [(int(rss), int(swap)) for process, rss, swap in rows if process == pid]
    real = [tuple(sum(fields[name] for fields in smaps.values()) for name in ("Rss", "Swap"))]
    assert said == real, f"{said}, not {real}"


def procfs(pid, smaps):
    said = {}
    for address, *fields in map(str.split, run("/tests/readers/smaps_procfs", pid).splitlines()):
        fields = dict(field.split("=") for field in fields)
        said[first_address(address)] = {name: int(value) // (1 if name in NUMBERS else 1024)
                                        for name, value in fields.items()}
        assert "Guard" in fields, "no field Guard"
    compare(said, smaps)


def guardmap(pid, smaps):
    said = {address: {"Guard": 0} for address in smaps}
    for size, address in re.findall(r" (\d+) kB .* in (\w+)-", run("/tests/guardmap", pid)):
        said[first_address(address)]["Guard"] += int(size)
    compare(said, smaps)


TESTS = {
    "smaps: the same fields": each_mapping_has_the_same_fields,
    "smaps: guards": the_guards_are_counted,
    "pmap -X": pmap_some,
    "pmap -XX": pmap_all,
    "pmap -x": pmap_extended,
    "psutil": psutil_maps,
    "smem": smem,
    "procfs": procfs,
    "guardmap": guardmap,
}


def main():
    holder = subprocess.Popen([sys.executable, __file__, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    pid = str(holder.pid)
    smaps = read_smaps(pid)
    keys = any("ProtectionKey" in fields for fields in smaps.values())
    failed = False
    print(f"1..{len(TESTS)}")
    for number, (name, test) in enumerate(TESTS.items(), 1):
        name += f" {'with' if keys else 'without'} protection keys"
        try:
            test(pid, smaps)
            print(f"ok {number} {name}")
        except Exception:
            failed = True
            print(f"not ok {number} {name}")
            print("# " + traceback.format_exc(limit=-2).strip().replace("\n", "\n# "))
    holder.communicate()
    return failed


if __name__ == "__main__":
    sys.exit(hold() if sys.argv[1:] == ["hold"] else main())
