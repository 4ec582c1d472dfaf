#!/usr/bin/env python3
"""Finds files that nothing reaches: not compiled, not included, not named.

A file under the checked folders is reached from the files at the root (Makefile, CMakeLists.txt, README.md, .ci/run and
the like), step by step:

- CMake: a source that a list or a glob names, a folder of utan_layer() or add_subdirectory().
- C, C++ and Promela: a file that a reached one includes, and x.h beside a reached x.cc.
- Makefile, shell, Python, CMake, JSON and Markdown: a file whose path they name, from the root, or from their own
  folder, or whose folder's path they name if it is a CMakeLists.txt; in Python also by import. Comments in sources do
  not count.

    check_dead_files.py [--root FOLDER]

Prints every file that is not reached and ends with 1, or ends with 0. Files that git ignores are not looked at.
"""

import argparse
import fnmatch
import pathlib
import posixpath
import re
import subprocess
import sys

CHECKED_FOLDERS = ("bench", "cmake", "docs", "examples", "include", "models", "scripts", "src", "tests", "tools")
SOURCE_SUFFIXES = {".c", ".cc", ".h", ".hpp", ".pml"}
NAMING_SUFFIXES = {".cmake", ".in", ".json", ".md", ".py", ".sh", ".txt"}
NAMING_FILES = {"Makefile", "run", "setup"}

INCLUDE_LINE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)
CMAKE_LAYER = re.compile(r"utan_layer\(\s*([\w/]+)")
CMAKE_FOLDER = re.compile(r"add_subdirectory\(\s*([\w/]+)")
CMAKE_MODULE = re.compile(r"(?:include|find_package)\(\s*(\w+)")
PYTHON_IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)
VARIABLE = re.compile(r"\$\{\w+\}|\$\(\w+\)|\$\w+")  # of CMake, shell and make; what stands for a folder is dropped
PATH_WORD = re.compile(r"[\w.*/+-]+")


def list_files(root):
    """Every file that git has or would add, by its path from the root."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name for name in output.split("\0") if name and (root / name).is_file()}


def globbed(pattern, files):
    return {name for name in files if fnmatch.fnmatchcase(name, pattern)}


def named_in_cmake(text, folder, files):
    found = set()
    for word in PATH_WORD.findall(VARIABLE.sub("", text)):
        if "*" in word and "/" in word:  # a glob: from the root or from the file's own folder
            found |= globbed(word.strip("/"), files) if word.count("/") > 1 else set()
            found |= globbed(posixpath.join(folder, word.strip("/")), files)
    for layer in CMAKE_LAYER.findall(text):
        found |= {f for f in globbed(f"{folder}/{layer}/*.cc", files) if posixpath.dirname(f) == f"{folder}/{layer}"}
    for other in CMAKE_FOLDER.findall(text):
        found.add(posixpath.normpath(posixpath.join(folder, other, "CMakeLists.txt")))
    for module in CMAKE_MODULE.findall(text):
        found |= {f"cmake/{module}.cmake", f"cmake/Find{module}.cmake"}
    return found


def named_in_text(text, folder):
    found = set()
    for word in PATH_WORD.findall(VARIABLE.sub("", text)):
        word = word.strip("/.,") if not word.startswith("..") else word.rstrip("/.,")
        for base in ("", folder):
            path = posixpath.normpath(posixpath.join(base, word))
            found |= {path, path + "/CMakeLists.txt"}
    return found


def included(text, folder):
    found = set()
    for header in INCLUDE_LINE.findall(text):
        for base in ("src", "include", "tests", folder):
            found.add(posixpath.normpath(posixpath.join(base, header)))
    return found


def header_beside(name):
    stem, suffix = posixpath.splitext(name)
    return {stem + ".h"} if suffix == ".cc" else set()


def neighbours(root, name, files):
    """What `name` reaches in one step."""
    path = root / name
    suffix = path.suffix
    folder = posixpath.dirname(name)
    if suffix not in SOURCE_SUFFIXES | NAMING_SUFFIXES and path.name not in NAMING_FILES:
        return set()
    text = path.read_text(errors="replace")
    if suffix in SOURCE_SUFFIXES:
        return included(text, folder) | header_beside(name)
    found = named_in_text(text, folder)
    if path.name == "CMakeLists.txt" or suffix == ".cmake":
        found |= named_in_cmake(text, folder, files)
    if suffix == ".py":
        found |= {posixpath.join(folder, module + ".py") for module in PYTHON_IMPORT.findall(text)}
    return found


def dead_files(root, files):
    """The checked files that nothing reaches, sorted."""
    checked = {f for f in files if f.startswith(tuple(folder + "/" for folder in CHECKED_FOLDERS))}
    reached = set()
    waiting = sorted(files - checked)
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        waiting.extend((neighbours(root, name, files) & files) - reached)
    return sorted(f for f in checked - reached if posixpath.basename(f) != ".gitignore")


def main():
    parser = argparse.ArgumentParser(description="Finds files that nothing reaches.")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    dead = dead_files(root, list_files(root))
    for name in dead:
        print(f"{name}: not compiled, not included, not named", file=sys.stderr)
    if dead:
        print(f"check_dead_files: {len(dead)} files that nothing reaches", file=sys.stderr)
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
