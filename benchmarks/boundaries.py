"""Our group-sequential table against rpact 3.3.4 (one-sided alpha .025, power .90, equal looks).

Run: python -m benchmarks.boundaries
"""

import time

from simulation.analysis.sequential import group_sequential

# Source: R package rpact 3.3.4, getDesignGroupSequential and getDesignCharacteristics.
RPACT = {
    ("obrien_fleming", 2): ((2.796510, 1.977431), 1.0071264, 0.851094),
    ("obrien_fleming", 3): ((3.471091, 2.454432, 2.004036), 1.0161007, 0.798709),
    ("obrien_fleming", 4): ((4.048591, 2.862786, 2.337455, 2.024296), 1.0221630, 0.767397),
    ("obrien_fleming", 5): (
        (4.561742, 3.225639, 2.633723, 2.280871, 2.040073),
        1.0264863,
        0.750254,
    ),
    ("pocock", 2): ((2.178272,) * 2, 1.1000825, 0.775933),
    ("pocock", 3): ((2.289478,) * 3, 1.1506381, 0.721033),
    ("pocock", 4): ((2.361300,) * 4, 1.1831344, 0.697496),
    ("pocock", 5): ((2.413180,) * 5, 1.2065805, 0.684938),
}


def main() -> None:
    worst = [0.0, 0.0, 0.0]
    start = time.perf_counter()
    print(f"{'design':<16} k  inflation (rpact)        E[N]/N (rpact)         critical values")
    for (family, looks), (critical, inflation, expected) in RPACT.items():
        design = group_sequential(family, looks)
        ours = (design.inflation, design.expected_ratio())
        differences = (
            max(abs(a - b) for a, b in zip(design.critical, critical, strict=True)),
            abs(ours[0] - inflation),
            abs(ours[1] - expected),
        )
        worst = [max(a, b) for a, b in zip(worst, differences, strict=True)]
        values = " ".join(f"{z:.6f}" for z in design.critical)
        print(
            f"{family:<16} {looks}  {ours[0]:.7f} ({inflation:.7f})  "
            f"{ours[1]:.6f} ({expected:.6f})  {values}"
        )
    print(f"time of our eight designs: {time.perf_counter() - start:.2f} s")
    print(
        f"largest difference: critical value {worst[0]:.1e}, inflation {worst[1]:.1e}, "
        f"E[N]/N {worst[2]:.1e} (the reference has 6, 7 and 6 decimals)"
    )


if __name__ == "__main__":
    main()
