"""ADBench's hand, simple: residuals of 100 measured points and their Jacobian by the 26 pose parameters; and a big one, whose mesh is
ADBench's with each triangle cut into four, twice: 8,674 vertices, all of which move as in ADBench, 100 of them measured."""

import numpy as np

from harness import ADBENCH, Engine, Inputs, Row
from rows import _enzyme

PROBLEM = ("-DPROBLEM=Hand",)


def table(name: str) -> list[list[str]]:
    return [line.split(":") for line in (ADBENCH / "hand/model" / name).read_text().splitlines() if line]


def refined(values: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each triangle in four: what stands at its vertices is averaged at the middles of its edges."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, which = np.unique(edges, axis=0, return_inverse=True)
    middle = len(values) + which.reshape(-1, 3)
    a, b, c = triangles.T
    ab, bc, ca = middle.T
    four = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
    return np.concatenate([values, values[unique].mean(axis=1)]), np.concatenate([np.stack(t, axis=1) for t in four])


def inputs(big: bool) -> Inputs:
    bones, all_vertices = table("bones.txt"), table("vertices.txt")
    n, pose = map(int, (numbers := (ADBENCH / "hand/simple_hand1_t26_c100.txt").read_text().split())[:2])
    points = np.array(numbers[2 : 2 + 4 * n], float).reshape(n, 4)
    picks = points[:, 0].astype(int)
    mesh = np.zeros((len(all_vertices), 4 + len(bones)))  # position, 1, a weight a bone
    for row, fields in zip(mesh, all_vertices):
        row[:4] = [*map(float, fields[:3]), 1]
        for i in range(int(fields[8])):
            row[4 + int(fields[9 + 2 * i])] = float(fields[10 + 2 * i])
    if big:
        triangles = np.array([row[:3] for row in table("triangles.txt")], int)
        for _ in range(2):
            mesh, triangles = refined(mesh, triangles)
        picks = np.random.default_rng(26).integers(0, len(mesh), n)
    else:
        mesh, picks = mesh[picks], np.arange(n)  # the measured ones alone
    return {
        "parents": np.array([float(b[1]) for b in bones]),
        "relatives": np.array([b[2:18] for b in bones], float).reshape(-1, 4, 4),
        "inverses": np.array([b[18:34] for b in bones], float).reshape(-1, 4, 4),
        "rest": mesh[:, :4], "weights": mesh[:, 4:], "picks": picks.astype(float), "measured": points[:, 1:],
        "theta": np.array(numbers[2 + 4 * n : 2 + 4 * n + pose], float),
    }  # fmt: skip


def residuals(np, i: Inputs, t):
    absolutes, transforms = [], []
    for bone, parent in enumerate(i["parents"].astype(int)):
        relative = i["relatives"][bone]
        joint, finger = ((bone - 2) % 4, (bone - 2) // 4) if bone >= 2 else (3, 5)
        if joint < 3 and finger < 5:  # three joints a finger turn
            first = 6 + 4 * finger
            bend, spread = t[first if joint == 0 else first + 1 + joint], t[first + 1] if joint == 0 else 0.0
            cx, sx, cz, sz = np.cos(bend), np.sin(bend), np.cos(spread), np.sin(spread)
            o = 0.0 * cx
            turn = np.stack([cz + o, -sz * cx, sz * sx, o, sz + o, cz * cx, -cz * sx, o, o, sx, cx, o, o, o, o, o + 1]).reshape(4, 4)
            relative = relative @ turn
        absolutes.append(relative if parent < 0 else absolutes[parent] @ relative)
        transforms.append(absolutes[-1] @ i["inverses"][bone])
    picks = i["picks"].astype(int)
    moved = np.einsum("bij,vj->biv", np.stack(transforms)[:, :3], i["rest"][picks])
    skinned = np.einsum("biv,vb->iv", moved, i["weights"][picks])
    angle = np.sqrt(np.sum(t[:3] * t[:3]))
    (x, y, z), s, c = t[:3] / angle, np.sin(angle), np.cos(angle)
    turn = np.stack([x * x + (1 - x * x) * c, x * y * (1 - c) - z * s, x * z * (1 - c) + y * s,
                     x * y * (1 - c) + z * s, y * y + (1 - y * y) * c, y * z * (1 - c) - x * s,
                     x * z * (1 - c) - y * s, z * y * (1 - c) + x * s, z * z + (1 - z * z) * c]).reshape(3, 3)  # fmt: skip
    return (i["measured"] - (turn @ skinned + t[3:6, None]).T).reshape(-1)


def jax(i: Inputs):
    import jax
    import jax.numpy as jnp

    f = jax.jit(lambda t: (residuals(jnp, i, t), jax.jacfwd(lambda u: residuals(jnp, i, u))(t)))
    theta = jnp.asarray(i["theta"])
    return lambda: jax.block_until_ready(f(theta))


def row(name: str, title: str, big: bool) -> Row:
    engines = [
        Engine("Camber C++, arrays", source="camber_hand.cpp", flags=("-lcamber",)),
        Engine("Camber C++, tape", source="camber_tape.cpp", flags=(*PROBLEM, "-lcamber")),
        Engine("CppAD", source="cppad.cpp", flags=PROBLEM),
        Engine("Sacado", source="sacado.cpp", flags=(*PROBLEM, "-DDIRECTIONS=26")),
        _enzyme.engine("Hand"),
        Engine("ADOL-C", source="adolc.cpp", flags=(*PROBLEM, "-ladolc")),
        Engine("JAX, jacfwd", jax, ("jax",)),
        Engine("primal C++", source="primal.cpp", flags=PROBLEM),
    ]
    note = "Engines on arrays move the measured vertices alone, and so do tapes that drop what no output needs." if big else ""
    return Row(name, title, lambda: inputs(big), engines, threads=(1,), note=note)


ROWS = [row("hand-simple", "HAND Jacobian, simple, 100 points", False), row("hand-big", "HAND Jacobian, big mesh, 100 points", True)]
