"""ADBench's objectives written for Camber: GMM, BA, LSTM and HAND, and readers of their inputs.

The definitions are those of github.com/microsoft/ADBench (MIT); the code is Camber's own. Each works on NumPy arrays as well.
"""

from pathlib import Path

import numpy as np

import camber as cb
import camber.numpy as cnp
import camber.special as csp

# ---- GMM: a Gaussian mixture's log likelihood with a Wishart prior -------------------------------------------------------------


def read_gmm(path):
    """alphas [K], means [K, d], inverse covariance factors [K, d(d+1)/2], x [n, d], gamma, m."""
    numbers = np.array(Path(path).read_text().split(), float)
    d, k, n = numbers[:3].astype(int)
    rest = numbers[3:]
    alphas, rest = rest[:k], rest[k:]
    means, rest = rest[: k * d].reshape(k, d), rest[k * d :]
    size = d * (d + 1) // 2
    factors, rest = rest[: k * size].reshape(k, size), rest[k * size :]
    x, rest = rest[: n * d].reshape(n, d), rest[n * d :]
    return alphas, means, factors, x, float(rest[0]), int(rest[1])


def gmm(alphas, means, factors, x, gamma, m):
    """The objective, a scalar."""
    n, d = x.shape
    k = means.shape[0]
    logs = factors[:, :d]
    diagonal = np.exp(logs)
    total = np.sum(logs, axis=1)
    rows, columns = np.tril_indices(d, -1)
    order = np.lexsort((rows, columns))  # the factors list the lower triangle column after column
    lower = cnp.zeros((k, d, d)) * alphas[0] if d < 2 else _scatter(factors[:, d:], rows[order], columns[order], d)
    centered = x[:, None, :] - means
    moved = centered * diagonal + np.einsum("kij,nkj->nki", lower, centered)
    inner = alphas + total - 0.5 * np.sum(moved**2, axis=2)
    value = -0.5 * n * d * np.log(2 * np.pi) + np.sum(csp.logsumexp(inner, axis=1)) - n * csp.logsumexp(alphas)
    degrees = d + m + 1
    penalty = 0.5 * gamma**2 * (np.sum(diagonal**2) + np.sum(factors[:, d:] ** 2)) - m * np.sum(total)
    constant = degrees * d * np.log(gamma / np.sqrt(2.0)) - _multigammaln(0.5 * degrees, d)
    return value + penalty - k * constant


def _scatter(values, rows, columns, d):
    place = np.zeros((values.shape[1], d, d))
    place[np.arange(len(rows)), rows, columns] = 1.0
    return np.einsum("ke,eij->kij", values, place)


def _multigammaln(a, d):
    from math import lgamma, log, pi

    return d * (d - 1) * 0.25 * log(pi) + sum(lgamma(a - 0.5 * j) for j in range(d))


# ---- BA: bundle adjustment ------------------------------------------------------------------------------------------------------


def read_ba(path):
    """cameras [n, 11], points [m, 3], weights [p], features [p, 2], camera and point of each observation."""
    numbers = Path(path).read_text().split()
    n, m, p = (int(v) for v in numbers[:3])
    values = np.array(numbers[3:], float)
    camera, point, weight, feature = values[:11], values[11:14], values[14], values[15:17]
    i = np.arange(p)
    return np.tile(camera, (n, 1)), np.tile(point, (m, 1)), np.full(p, weight), np.tile(feature, (p, 1)), i % n, i % m


def rotate(rotation, x):
    """Rodrigues' formula; small angles by its first order."""
    square = np.sum(rotation**2)
    large = square > 1e-10
    angle = np.sqrt(np.where(large, square, 1.0))
    axis = rotation / angle
    turned = x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) + axis * (np.dot(axis, x) * (1.0 - np.cos(angle)))
    return np.where(large, turned, x + np.cross(rotation, x))


def project(camera, x):
    """A point in a camera's image: rotation 3, centre 3, focal length, principal point 2, radial distortion 2."""
    seen = rotate(camera[:3], x - camera[3:6])
    flat = seen[:2] / seen[2]
    square = np.sum(flat**2)
    return flat * (1.0 + camera[9] * square + camera[10] * square**2) * camera[6] + camera[7:9]


def reprojection(camera, x, weight, feature):
    """One observation's two residuals."""
    return weight * (project(camera, x) - feature)


def weight_error(weight):
    """The residual that holds a weight."""
    return 1.0 - weight**2


# ---- LSTM -------------------------------------------------------------------------------------------------------------------------


def read_lstm(path):
    """main [2 layers, 4 bits], extra [3, bits], state [2 layers, bits], sequence [characters, bits]."""
    lines = [line.split() for line in Path(path).read_text().splitlines() if line.strip()]
    layers, characters, bits = (int(v) for v in lines[0])
    rows = [np.array(line, float) for line in lines[1:]]
    main, rest = np.array(rows[: 2 * layers]), rows[2 * layers :]
    extra, rest = np.array(rest[:3]), rest[3:]
    return main, extra, np.array(rest[: 2 * layers]), np.array(rest[2 * layers :])[:characters, :bits]


def _cell(weight, bias, hidden, cell, x):
    w, b = weight.reshape(4, -1), bias.reshape(4, -1)
    forget, take = csp.expit(x * w[0] + b[0]), csp.expit(hidden * w[1] + b[1])
    give, change = csp.expit(x * w[2] + b[2]), np.tanh(hidden * w[3] + b[3])
    cell = cell * forget + take * change
    return give * np.tanh(cell), cell


def lstm(main, extra, state, sequence):
    """The mean negative log likelihood of the sequence: a loop in the program."""
    layers = main.shape[0] // 2

    def body(carry, pair):
        x, gold = pair
        out, new = x * extra[0], []
        for i in range(layers):
            hidden, cell = _cell(main[2 * i], main[2 * i + 1], carry[2 * i], carry[2 * i + 1], out)
            new += [hidden, cell]
            out = hidden
        guess = out * extra[1] + extra[2]
        return tuple(new), np.sum(gold * (guess - np.log(2.0 + np.sum(np.exp(guess)))))

    start = tuple(state[i] for i in range(2 * layers))
    _, totals = cb.scan(body, start, (sequence[:-1], sequence[1:]))
    return -np.sum(totals) / ((sequence.shape[0] - 1) * sequence.shape[1])


# ---- HAND: a skinned hand fitted to points -----------------------------------------------------------------------------------------


class Hand:
    """The model: bones, vertices with their weights, triangles."""

    def __init__(self, folder):
        folder = Path(folder)
        bones = [line.split(":") for line in (folder / "bones.txt").read_text().split()]
        self.parents = [int(b[1]) for b in bones]
        self.relatives = np.array([b[2:18] for b in bones], float).reshape(-1, 4, 4)
        self.inverses = np.array([b[18:34] for b in bones], float).reshape(-1, 4, 4)
        vertices = [line.split(":") for line in (folder / "vertices.txt").read_text().split()]
        self.positions = np.array([[*v[:3], 1.0] for v in vertices], float)
        self.weights = np.zeros((len(vertices), len(bones)))
        for i, v in enumerate(vertices):
            for k in range(int(v[8])):
                self.weights[i, int(v[9 + 2 * k])] = float(v[10 + 2 * k])
        triangles = (folder / "triangles.txt").read_text().split()
        self.triangles = np.array([t.split(":") for t in triangles], int)


def read_hand(path, complicated):
    """correspondences [p], points [p, 3], u [p, 2] (complicated), theta [26]."""
    numbers = Path(path).read_text().split()
    p, size = int(numbers[0]), int(numbers[1])
    rows = np.array(numbers[2 : 2 + 4 * p], float).reshape(p, 4)
    rest = np.array(numbers[2 + 4 * p :], float)
    u, rest = (rest[: 2 * p].reshape(p, 2), rest[2 * p :]) if complicated else (None, rest)
    return rows[:, 0].astype(int), rows[:, 1:], u, rest[:size]


# theta's entries in the pose: three rows of the whole hand, then for each bone flexion, abduction, twist.
def _pose(theta, bones):
    flat = np.full((3 + bones) * 3, -1)
    flat[0:3], flat[6:9] = [0, 1, 2], [3, 4, 5]
    source, row = 6, 5
    for _ in range(5):
        for joint in range(3):
            flat[3 * row] = source
            source += 1
            if joint == 0:
                flat[3 * row + 1] = source
                source += 1
            row += 1
        row += 1
    picked = np.where(flat >= 0, theta[np.maximum(flat, 0)], 0.0).reshape(-1, 3)
    return picked


def _turns(angles):
    """Rotation matrices [b, 3, 3] of flexion, abduction, twist [b, 3]: z, y, x in turn."""
    x, z, y = (angles[:, i] for i in range(3))
    zero, one = np.zeros_like(x), np.ones_like(x)

    def matrix(*rows):
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    rx = matrix((one, zero, zero), (zero, np.cos(x), -np.sin(x)), (zero, np.sin(x), np.cos(x)))
    ry = matrix((np.cos(y), zero, np.sin(y)), (zero, one, zero), (-np.sin(y), zero, np.cos(y)))
    rz = matrix((np.cos(z), -np.sin(z), zero), (np.sin(z), np.cos(z), zero), (zero, zero, one))
    return rz @ ry @ rx


def _about(axis):
    """The rotation matrix of an axis whose length is the angle."""
    angle = np.sqrt(np.sum(axis**2))
    x, y, z = (axis[i] / angle for i in range(3))
    s, c = np.sin(angle), np.cos(angle)
    rows = [
        [x * x + (1 - x * x) * c, x * y * (1 - c) - z * s, x * z * (1 - c) + y * s],
        [x * y * (1 - c) + z * s, y * y + (1 - y * y) * c, y * z * (1 - c) - x * s],
        [x * z * (1 - c) - y * s, z * y * (1 - c) + x * s, z * z + (1 - z * z) * c],
    ]
    return np.stack([np.stack(row) for row in rows])


def vertices(theta, hand):
    """The skinned vertices' places [v, 3]."""
    bones = len(hand.parents)
    pose = _pose(theta, bones)
    turns = _turns(pose[3:])
    frame = np.pad(turns, ((0, 0), (0, 1), (0, 1))) + np.diag([0.0, 0.0, 0.0, 1.0])
    relatives = hand.relatives @ frame
    absolutes = []
    for i, parent in enumerate(hand.parents):
        absolutes.append(relatives[i] if parent == -1 else absolutes[parent] @ relatives[i])
    transforms = np.stack(absolutes) @ hand.inverses
    places = np.einsum("vb,bij,vj->vi", hand.weights, transforms[:, :3, :], hand.positions)
    return places @ _about(pose[0]).T + pose[2]


def hand_simple(theta, hand, correspondences, points):
    """points - their vertices, flat."""
    return (points - vertices(theta, hand)[correspondences]).reshape(-1)


def hand_complicated(u, theta, hand, correspondences, points):
    """points - their places u in triangles, flat."""
    corners = vertices(theta, hand)[hand.triangles[correspondences]]
    weights = np.stack([u[:, 0], u[:, 1], 1.0 - u[:, 0] - u[:, 1]], axis=-1)
    return (points - np.sum(weights[:, :, None] * corners, axis=1)).reshape(-1)
