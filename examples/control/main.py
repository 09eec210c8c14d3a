"""A ball that falls through air and bounces: a while loop whose steps adapt to their error, a cond for the ground, and derivatives of where it ends."""
import camber as cb


def fall(v, drag):
    return -9.81 - drag * (v * abs(v))


def simulate(height, bounce, drag):
    def step(carry):
        n, t, dt, h, v = carry
        v1 = v + dt * fall(v, drag)  # Euler's step, and Heun's
        v2 = v + dt * 0.5 * (fall(v, drag) + fall(v1, drag))
        h2 = h + dt * 0.5 * (v + v2)

        def accepted(t, dt, h, v, h2, v2, bounce):
            h3, v3 = cb.cond(h2 < 0, lambda h, v, e: (-(e * h), -(e * v)), lambda h, v, e: (h, v), h2, v2, bounce)
            return t + dt, dt * 1.1, h3, v3

        def refused(t, dt, h, v, h2, v2, bounce):
            return t, dt * 0.5, h, v

        return n + 1, *cb.cond(abs(v2 - v1) < 1e-3, accepted, refused, t, dt, h, v, h2, v2, bounce)

    n, _, _, h, _ = cb.while_loop(lambda carry: carry[1] < 2, step, (0, 0.0, 0.1, height, 0.0), slots=16)
    return h, n


(height, steps), gradient = cb.value_and_grad(simulate, argnums=(0, 1, 2), has_aux=True)(1.0, 0.8, 0.05)
print(f"after 2 s: {height:.8f} m, {int(steps)} steps")
print("by height, bounce, drag:", *(f"{g:.8f}" for g in gradient))
