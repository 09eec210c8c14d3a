import camber as cb

f = cb.ops.softsign
slope = cb.grad(f)
bend = cb.grad(slope)
for at in (0.5, -2.0, 3.0):
    s = 1 / (1 + abs(at))
    want = (at * s, s * s, (-2 if at > 0 else 2) * s**3)
    for got, value in zip((cb.function(f)(at), slope(at), bend(at)), want):
        assert abs(got - value) <= 1e-15, (got, value)
