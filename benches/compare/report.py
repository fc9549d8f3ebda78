"""Tables and pictures of what was measured."""

from html import escape
from statistics import median

BAR_PX, ROW_PX, LEFT_PX, MOST = 420, 16, 130, 8.0
COLOURS = {"aether": "#2266bb", "aether-accelerate": "#66aadd", "overlayfs": "#999999", "fuse-overlayfs": "#cc8844"}


def ratios(seconds):
    """Ratio to plain by side: the median over rounds of what was measured side by side, with the least and the most."""
    plain = seconds["plain"]
    for side, own in seconds.items():
        each = [taken / base for taken, base in zip(own, plain)]
        yield side, median(own), median(each), min(each), max(each)


def table(facts, results):
    others = [side for side in next(iter(results), {"seconds": {}})["seconds"] if side != "plain"]
    lines = [", ".join(f"{key} {value}" for key, value in facts.items()), ""]
    lines.append(f"{'work':16}{'plain':>11}" + "".join(f"{side:>32}" for side in others))
    for result in results:
        row = {side: rest for side, *rest in ratios(result["seconds"])}
        line = f"{result['name']:16}{shown(row['plain'][0]):>11}"
        for side in others:
            taken, middle, least, most = row[side]
            line += f"{shown(taken):>11}{middle:>7.2f} " + f"({least:.2f}-{most:.2f})".rjust(13)
        lines.append(line + ("  DIFFERS: " + ", ".join(sorted(set(result["differs"]))) if result["differs"] else ""))
    lines += ["", "Times are medians; ratios are to plain, medians of the rounds with the least and the most."]
    return "\n".join(lines)


def shown(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


def svg(facts, results):
    """Bars of the ratios to plain, one group a workload; the line is where plain is."""
    rows = [(result, [row for row in ratios(result["seconds"]) if row[0] != "plain"]) for result in results]
    height = 60 + sum(ROW_PX * len(bars) + 10 for _, bars in rows)
    width = LEFT_PX + BAR_PX + 70
    scale = BAR_PX / MOST
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="8" y="18">Time as a ratio to the plain directory (less is better). {escape(facts["kernel"])}, '
        f'{facts["processors"]} processors</text>',
    ]
    for index, (side, colour) in enumerate(COLOURS.items()):
        out.append(f'<rect x="{8 + index * 130}" y="26" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{22 + index * 130}" y="35">{side}</text>')
    y = 48
    for result, bars in rows:
        out.append(f'<text x="8" y="{y + 12}">{escape(result["name"])}</text>')
        for side, _, ratio, _, _ in bars:
            long = min(ratio, MOST) * scale
            out.append(f'<rect x="{LEFT_PX}" y="{y}" width="{long:.1f}" height="{ROW_PX - 3}" fill="{COLOURS[side]}"/>')
            out.append(f'<text x="{LEFT_PX + long + 4:.1f}" y="{y + 11}">{ratio:.2f}</text>')
            y += ROW_PX
        y += 10
    x = LEFT_PX + scale
    out.append(f'<line x1="{x}" y1="44" x2="{x}" y2="{height - 8}" stroke="black" stroke-dasharray="3,3"/>')
    return "\n".join([*out, "</svg>", ""])
