package typealias Vector = UnsafeMutablePointer<Double>

/// Eight lanes, then a fixed tree: the same bits on every machine.
package func dot(_ a: Vector, _ b: Vector, _ n: Int) -> Double {
  var s = SIMD8<Double>(), i = 0
  let x = UnsafeRawPointer(a), y = UnsafeRawPointer(b)
  while i + 8 <= n {
    s += x.loadUnaligned(fromByteOffset: i * 8, as: SIMD8<Double>.self) * y.loadUnaligned(fromByteOffset: i * 8, as: SIMD8<Double>.self)
    i += 8
  }
  let h = s.lowHalf + s.highHalf, q = h.lowHalf + h.highHalf
  var t = q[0] + q[1]
  while i < n {
    t += a[i] * b[i]
    i += 1
  }
  return t
}

/// Of numbers whose squares may overflow or vanish, too.
package func norm(_ a: Vector, _ n: Int) -> Double {
  let s = dot(a, a, n)
  if s > 1e-280, s < 1e280 { return s.squareRoot() }
  let m = largest(a, n)
  guard m > 0, m.isFinite else { return m }
  var t = 0.0
  for i in 0 ..< n { t += (a[i] / m) * (a[i] / m) }
  return m * t.squareRoot()
}

/// NaN where one is.
package func largest(_ a: Vector, _ n: Int) -> Double {
  var m = 0.0
  for i in 0 ..< n {
    if a[i].isNaN { return .nan }
    m = max(m, abs(a[i]))
  }
  return m
}

/// y = x
package func copy(_ x: Vector, _ y: Vector, _ n: Int) { y.update(from: x, count: n) }
/// y += a x
package func add(_ a: Double, _ x: Vector, to y: Vector, _ n: Int) { for i in 0 ..< n { y[i] += a * x[i] } }
/// z = x + a y
package func sum(_ x: Vector, _ a: Double, _ y: Vector, _ z: Vector, _ n: Int) { for i in 0 ..< n { z[i] = x[i] + a * y[i] } }
/// y *= a
package func scale(_ y: Vector, _ a: Double, _ n: Int) { for i in 0 ..< n { y[i] *= a } }
