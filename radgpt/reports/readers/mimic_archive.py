"""Read single reports out of mimic-cxr-reports.zip without unpacking it and without its directory in every process."""

import os
import re
import struct
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from radgpt.errors import UserError

ARCHIVE = "mimic-cxr-reports.zip"
REPORT = re.compile(r"(?:.*/)?files/(p\d\d)/(\1\d+)/(s\d+)\.txt")
PLACE = struct.Struct("<QIIB")
"""Where a member stands: offset of its local header, bytes compressed, CRC-32, method. Packed, as 228,000 of them may be alive."""
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, length of the name, length of the extra field."""
MOST_BEFORE_CONTENT = 512
"""Bytes read for local header, name and extra field; where they are longer, there is a second read."""


def members(path: Path, typed: str) -> dict[str, tuple[str, bytes]]:
    """Report id to (patient id, place) of the reports in an archive, in the order in which a tree is walked."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, EOFError, struct.error, ValueError, NotImplementedError):
        raise UserError(f"data.path={typed}: {path.name} is no whole zip file; download it again") from None
    found = []
    for info in infos:
        if not (match := REPORT.fullmatch(info.filename)):
            continue
        if info.flag_bits & 1:
            raise UserError(f"data.path={typed}: {path.name} is encrypted; give it as PhysioNet has it, or unpack it")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"data.path={typed}: {path.name} is compressed in an unusual way; unpack it and give the folder")
        place = PLACE.pack(info.header_offset, info.compress_size, info.CRC, info.compress_type)
        found.append((match[1], match[2], match[3], place))
    if not found:
        names = {os.path.splitext(info.filename)[1].lower() for info in infos}
        holds = "images and no reports" if names & {".jpg", ".dcm"} else "no report such as files/p10/p10000032/s50414267.txt"
        raise UserError(
            f"data.path={typed}: {path.name} holds {holds}; the reports are in MIMIC-CXR's {ARCHIVE}, "
            f"from https://physionet.org/content/mimic-cxr/: data.path={path.with_name(ARCHIVE)}"
        )
    members = {report: (sys.intern(patient), place) for _, patient, report, place in sorted(found)}
    if len(members) < len(found):
        twice = next(report for report, count in Counter(report for _, _, report, _ in found).items() if count > 1)
        raise UserError(f"data.path={typed}: {path.name} holds {twice} more than once; give the archive as PhysioNet has it")
    return members


def read(archive: int, place: bytes, where: str) -> bytes:
    """The content of the member at a place of an open archive; raises UserError that names it by `where` if it is damaged."""
    offset, size, checksum, method = PLACE.unpack(place)
    start = stretch(archive, MOST_BEFORE_CONTENT + size, offset)
    try:
        signature, *lengths = LOCAL_HEADER.unpack_from(start)
        begin = LOCAL_HEADER.size + sum(lengths)
        packed = start[begin : begin + size]
        if len(packed) < size:
            packed = stretch(archive, size, offset + begin)
        content = packed if method == zipfile.ZIP_STORED else zlib.decompress(packed, -zlib.MAX_WBITS)
    except (struct.error, zlib.error):
        signature, content = b"", b""
    if signature != b"PK\3\4" or zlib.crc32(content) != checksum:
        raise UserError(f"{where} is damaged; download the archive again")
    return content


def stretch(archive: int, size: int, offset: int) -> bytes:
    """`size` bytes from an offset, or what there is of them, though the file system may give a part at a time."""
    content = os.pread(archive, size, offset)
    while len(content) < size and (part := os.pread(archive, size - len(content), offset + len(content))):
        content += part
    return content
