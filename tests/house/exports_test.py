"""Shows that libutan exports what utan.h declares and nothing else, both as shared and as static library.

Also that it has no unique symbols, which all libraries of a process would share, whatever their visibility.

    exports_test.py NM UTAN_H LIBRARY...
"""

import re
import subprocess
import sys


def symbols(nm, library, *flags):
    """The defined symbols as (type, name)."""
    command = [nm, *flags, "--defined-only", library]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {(words[1], words[2].partition("@")[0]) for words in map(str.split, output.splitlines()) if len(words) == 3}


def exported(nm, library):
    return {name for _, name in symbols(nm, library, "-g" if library.endswith(".a") else "-D")}


def main():
    nm, header, *libraries = sys.argv[1:]
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    declared = set(re.findall(r"^UTAN_API\b[^;(]*?\b(utan_\w+)\s*\(", text, flags=re.MULTILINE))
    assert declared, f"{header}: no declarations found"
    status = 0
    for library in libraries:
        found = exported(nm, library)
        for name in sorted(found - declared):
            print(f"{library}: exports {name}, which {header} does not declare")
            status = 1
        for name in sorted(declared - found):
            print(f"{library}: does not export {name}, which {header} declares")
            status = 1
        for kind, name in sorted(symbols(nm, library)):
            if kind == "u":
                print(f"{library}: {name} is a unique symbol")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
