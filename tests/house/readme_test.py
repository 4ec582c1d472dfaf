"""Shows that the program in the README is an example that is built and run.

    readme_test.py README.md EXAMPLE
"""

import re
import sys


def main():
    readme, example = sys.argv[1:]
    with open(readme, encoding="utf-8") as file:
        blocks = re.findall(r"^```cpp\n(.*?)^```$", file.read(), flags=re.DOTALL | re.MULTILINE)
    with open(example, encoding="utf-8") as file:
        program = file.read()
    if program not in blocks:
        print(f"{readme}: no cpp block is {example}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
