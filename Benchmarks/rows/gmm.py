"""ADBench's GMM: value and gradient of a mixture's log-likelihood, data drawn here."""

import numpy as np

from harness import Engine, Inputs, Row

CPPAD = ("-DPROBLEM=Gmm",)


def inputs(d: int, k: int, n: int) -> Inputs:
    rng = np.random.default_rng([d, k, n])
    return {"alphas": rng.normal(size=k), "means": rng.random((k, d)), "icf": 0.5 * rng.normal(size=(k, d * (d + 1) // 2)), "x": rng.normal(size=(n, d))}


def constant(d: int, k: int, n: int) -> float:
    from math import lgamma, log, pi

    v = d + 1
    multigamma = 0.25 * d * (d - 1) * log(pi) + sum(lgamma(0.5 * v - 0.5 * j) for j in range(d))
    return k * (v * d * (-0.5 * log(2)) - multigamma) + 0.5 * n * d * log(2 * pi)


def places(d: int) -> np.ndarray:
    """Where [diagonal, lower, 0] goes in a factor: the lower triangle is stored column after column."""
    place = np.full((d, d), d * (d + 1) // 2)
    np.fill_diagonal(place, np.arange(d))
    place.T[np.triu_indices(d, 1)] = np.arange(d, d * (d + 1) // 2)
    return place


def objective(np, logsumexp, x, place, form, alphas, means, icf):
    """In NumPy's words; `form` "gemm": the quadratic forms as one product of the data with all factors; "last": turned, the points last."""
    n, d = x.shape
    k = means.shape[0]
    logs, lower = icf[:, :d], icf[:, d:]
    diagonal = np.exp(logs)
    q = np.concatenate([diagonal, lower, np.zeros((k, 1))], 1)[:, place]
    if form == "last":
        scaled = (q.reshape(k * d, d) @ x.T).reshape(k, d, n) - np.einsum("kij,kj->ki", q, means)[:, :, None]
        each = logsumexp((alphas + logs.sum(1))[:, None] - 0.5 * (scaled**2).sum(1), 0)
    elif form == "gemm":
        scaled = (x @ q.reshape(k * d, d).T).reshape(n, k, d) - np.einsum("kij,kj->ki", q, means)
    else:
        scaled = np.einsum("kij,nkj->nki", q, x[:, None, :] - means)
    if form != "last":
        each = logsumexp(alphas + logs.sum(1) - 0.5 * (scaled**2).sum(2), 1)
    prior = 0.5 * ((diagonal**2).sum() + (lower**2).sum())
    return each.sum() - n * logsumexp(alphas, 0) + prior - constant(d, k, n)


def jax(form: str):
    def build(i: Inputs):
        import jax
        import jax.numpy as jnp

        x, place = jnp.asarray(i["x"]), places(i["x"].shape[1])
        f = jax.jit(jax.value_and_grad(lambda *p: objective(jnp, jax.nn.logsumexp, x, place, form, *p), argnums=(0, 1, 2)))
        point = [jnp.asarray(i[name]) for name in ("alphas", "means", "icf")]
        return lambda: jax.block_until_ready(f(*point))

    return build


def torch_compiled(i: Inputs):
    import torch

    x, place = torch.tensor(i["x"]), torch.tensor(places(i["x"].shape[1]))
    point = [torch.tensor(i[name], requires_grad=True) for name in ("alphas", "means", "icf")]
    n, d = x.shape
    k = len(i["alphas"])
    zero, fixed = torch.zeros((k, 1), dtype=torch.float64), constant(d, k, n)

    @torch.compile
    def f(alphas, means, icf):
        logs, lower = icf[:, :d], icf[:, d:]
        diagonal = torch.exp(logs)
        q = torch.cat([diagonal, lower, zero], 1)[:, place]
        scaled = (x @ q.reshape(k * d, d).T).reshape(n, k, d) - torch.einsum("kij,kj->ki", q, means)
        each = torch.logsumexp(alphas + logs.sum(1) - 0.5 * (scaled**2).sum(2), 1)
        return each.sum() - n * torch.logsumexp(alphas, 0) + 0.5 * ((diagonal**2).sum() + (lower**2).sum()) - fixed

    def step():
        value = f(*point)
        return value, *torch.autograd.grad(value, point)

    return step


def camber_python(i: Inputs):
    import camber as cb

    x, place = i["x"], places(i["x"].shape[1])
    f = cb.value_and_grad(lambda *p: objective(np, cb.special.logsumexp, x, place, "gemm", *p), argnums=(0, 1, 2))
    point = [i[name] for name in ("alphas", "means", "icf")]
    return lambda: f(*point)


def row(d: int, k: int, n: int, tapes: bool) -> Row:
    engines = [
        Engine("Camber C++, GEMM", source="camber_gmm.cpp", flags=("-lcamber",)),
        Engine("Camber C++, GEMM in tiles", source="camber_gmm.cpp", flags=("-DTILED", "-lcamber")),
        Engine("Camber C++, GEMM in tiles, points last", source="camber_gmm.cpp", flags=("-DTILED", "-DLAST", "-lcamber")),
        Engine("Camber C++, naive", source="camber_gmm.cpp", flags=("-DNAIVE", "-lcamber")),
        Engine("JAX, GEMM", jax("gemm"), ("jax",)),
        Engine("JAX, GEMM, points last", jax("last"), ("jax",)),
        Engine("JAX, naive", jax("naive"), ("jax",)),
        Engine("torch.compile, GEMM", torch_compiled, ("torch",)),
    ]
    if tapes:
        engines += [
            Engine("CppAD", source="cppad.cpp", flags=CPPAD, threads=(1,)),
            Engine("ADOL-C", source="adolc.cpp", flags=(*CPPAD, "-ladolc"), threads=(1,)),
        ]
    engines.append(Engine("primal C++", source="primal.cpp", flags=CPPAD, threads=(1,)))
    return Row(f"gmm-d{d}-k{k}-n{n}", f"GMM gradient, d {d}, K {k}, n {n:,}", lambda: inputs(d, k, n), engines)


ROWS = [row(10, 25, 1000, True), row(20, 50, 1000, False), row(10, 25, 10000, False)]
