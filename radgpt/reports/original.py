"""Split reports as the original Radiology-GPT does, mistakes included, to measure ours against it.

The rules are those of `preprocess_note` in code/preprocessing/preprocess_mimic_cxr.py of https://github.com/yjeong-k/Radiology-GPT,
told in our own words:

- The first colon of any line ends a name, be it `Dr. ___`, `LUNGS` or the `8` of 8:45; what follows that line is that name's.
- Only names that are one of the seven in capitals count; `EXAM`, `CONCLUSION` and the like are lost.
- Of sections that share a name the last counts, though it be empty.
- Lines in capitals without a colon are dropped, as are blank ones, and lines above the first name or below one that is empty.
- Lines are joined as they are: with MIMIC-CXR's leading space, or fused where it has been stripped.
"""

from radgpt.records import SECTIONS


def sections(text: str) -> dict[str, str]:
    """Section (one of SECTIONS) to its text, joined lines whose places are lost; empty sections are left out."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        before, colon, after = line.partition(":")
        if colon:
            name = before.strip()
            found[name] = [after.strip()]
        elif name and line.strip() and not line.isupper():
            found[name].append(line)
    return {section: joined for section in SECTIONS if (joined := "".join(found.get(section.upper(), [])))}
