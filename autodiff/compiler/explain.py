"""What was made of a recording, in words and numbers."""

from itertools import pairwise

from autodiff.compiler.blocks import threads_for, work_of
from autodiff.compiler.entry import Entry
from autodiff.compiler.plan import Group
from autodiff.compiler.program import VIEWS


def explanation(entry: Entry) -> str:
    """Calls before and after each pass, memory, merged updates, blocks and threads."""
    plan, program = entry.plan, entry.program
    lines = [f"{entry.title}: program {entry.number}"]
    counts = entry.counts
    lines.append(f"  calls recorded           {counts[0][1]}")
    for (_, before), (name, after) in pairwise(counts):
        if before != after:
            lines.append(f"  after {name:<18} {after}")
    views = sum(call.kind in VIEWS for call in program.calls)
    lines.append(f"  of which views           {views}")
    for phase in dict.fromkeys(call.phase for call in program.calls):
        n = sum(call.phase == phase and call.kind not in VIEWS for call in program.calls)
        lines.append(f"  calls of {phase:<15} {n}")
    new = [x for x in plan.made if plan.slots[x].how in ("empty", "zeros")]
    shared = [x for x in plan.made if plan.slots[x].how in ("reuse", "same")]
    total = sum(x.nbytes for x in new)
    wanted = total + sum(x.nbytes for x in shared)
    lines.append(f"  buffers                  {len(new)}, {total} bytes")
    lines.append(f"  results in them          {len(new) + len(shared)}, {wanted} bytes")
    parts = len(plan.part_of)
    if parts:
        lines.append(f"  computed in their place  {parts} parts of joined arrays")
    for v in program.inputs:
        if v.source[0] == "flat":
            lines.append(f"  merged                   {len(v.source[1])} tensors as {v.name}")
    lines.append(f"  written in place         {len(plan.target)} of {len(program.writes)} tensors")
    for i, group in enumerate([s for s in plan.steps if isinstance(s, Group)], 1):
        threads = threads_for(work_of(group), len(group.stops))
        lines.append(
            f"  blocks {i:<17} {len(group.calls)} calls on {list(group.shape)} in "
            f"{len(group.stops)} blocks, {len(group.sums)} sums, on {threads} threads"
        )
    return "\n".join(lines)
