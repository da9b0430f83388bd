"""Turns documents into PDF in a process of its own, whose memory goes back when it ends.

``typeset`` starts this file as a program and sends it one document a line, as JSON; the program answers
each with its size in eight bytes and the PDF. It sees the layout beside it and the fonts of
``labhub/fonts``, no other file, and nothing of the hub. A page takes about 30 ms and 3 MB, most of which
is kept until the process ends: hence the limits of ``documents.py``.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

LAYOUT: Final = Path(__file__).with_name("compendium.typ")
FONTS: Final = Path(__file__).resolve().parent.parent / "fonts"
SIZE_BYTES: Final = 8


class TypesettingFailed(RuntimeError):
    """The process ended without a PDF; the text is what it said last."""


def typeset(documents: Iterable[Mapping[str, Any]], *, tagged: bool = True) -> Iterator[bytes]:
    """Yield each document as PDF, in order. Raises ``TypesettingFailed``.

    ``tagged`` adds the structure that screen readers use, at four times the size.
    """
    command = [sys.executable, "-I", __file__, "tagged" if tagged else "plain"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101 (given above)
        try:
            for document in documents:
                try:
                    process.stdin.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")
                    process.stdin.flush()
                except BrokenPipeError:
                    pass  # what it said is read below
                size = int.from_bytes(process.stdout.read(SIZE_BYTES))
                content = process.stdout.read(size) if size else b""
                if not content or len(content) != size:
                    process.kill()
                    last = process.stderr.read().decode(errors="replace").strip().splitlines()[-1:]
                    raise TypesettingFailed(*last)
                yield content
        finally:
            if process.poll() is None and not process.stdin.closed:
                try:
                    process.stdin.close()
                except BrokenPipeError:
                    process.kill()


def main() -> None:
    """Answer each line of standard input with a PDF."""
    import typst

    fonts = sorted(str(folder) for folder in FONTS.iterdir() if folder.is_dir())
    tagged = sys.argv[1:] == ["tagged"]
    for line in sys.stdin.buffer:
        compiler = typst.Compiler(
            str(LAYOUT), root=str(LAYOUT.parent), font_paths=fonts, ignore_system_fonts=True
        )
        made = compiler.compile(
            format="pdf", sys_inputs={"data": line.decode()}, timestamp=0, pdf_tags=tagged
        )
        if not isinstance(made, bytes):
            sys.exit("typst gave no PDF")
        sys.stdout.buffer.write(len(made).to_bytes(SIZE_BYTES) + made)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
