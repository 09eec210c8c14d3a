import CKernels
import Tape

/// Puts a pattern or a replacement on a tape. With `errors`, every result is multiplied by 1 plus an input of its own: the derivative in it is what a
/// relative error of that operation does to the result.
struct Builder {
  let t: Tape
  /// The variables' nodes; what constants look like.
  let variables: [NodeID]
  let like: NodeID
  var axes: [Int] = []
  var injects = false
  /// Inputs by operation, and the units roundoff that the operation commits.
  private(set) var errors: [NodeID] = [], units: [Double] = []

  init(_ t: Tape, _ variables: [NodeID], like: NodeID) {
    self.t = t
    self.variables = variables
    self.like = like
  }

  /// Correct rounding is one unit; functions stay well within their bounds, of which half is taken: what is compared is what is to be expected.
  static func units(_ op: OpCode) -> Double { ulpBound(op) <= 0.5 ? 2 * ulpBound(op) : ulpBound(op) }

  private mutating func done(_ n: NodeID, _ units: Double) -> NodeID {
    guard injects, units > 0, t.contains(n) else { return n }
    let e = t.input(t.type(n))
    errors.append(e)
    self.units.append(units)
    return t.mul(n, t.add(t.like(n, 1), e))
  }

  mutating func make(_ p: Pattern) -> NodeID {
    switch p {
    case .variable(let i, _): return variables[Int(i)]
    case .constant(let v): return t.like(like, v)
    case .sum(let s):
      var sum = NodeID.none
      for (k, m) in s.enumerated() {
        let x = fitted(make(m.p), sum)
        sum = k == 0 ? (m.negative ? t.neg(x) : x) : done(m.negative ? t.sub(sum, x) : t.add(sum, x), 1)
      }
      return sum
    case .product(let negative, let f):
      // Quotients last: a leading one is a reciprocal.
      var value = NodeID.none
      for m in f where !m.inverse {
        let x = fitted(make(m.p), value)
        value = value.isNone ? x : done(t.mul(fitted(value, x), x), 1)
      }
      for m in f where m.inverse {
        let x = fitted(make(m.p), value)
        value = done(t.div(value.isNone ? t.like(x, 1) : value, x), 1)
      }
      return negative ? t.neg(value) : value
    case .call(let op, let x): return call(op, x)
    case .named(let n, let x): return named(n, x.map { make($0) })
    }
  }

  /// A constant looks like what it meets.
  private func fitted(_ x: NodeID, _ other: NodeID) -> NodeID {
    guard t.contains(x), t.contains(other), t.typeID(x) != t.typeID(other), let c = t.uniformConstant(x), t.dtype(c).isFloat else { return x }
    return t.like(other, Double(bitPattern: t.constantBits(c)))
  }

  private mutating func call(_ op: OpCode, _ p: [Pattern]) -> NodeID {
    var x: [NodeID] = []
    for q in p { x.append(make(q)) }
    for y in x where !t.contains(y) { return .none }
    for k in 1 ..< max(x.count, 1) { x[k] = fitted(x[k], x[op == OpCode(Ternary.select) && k == 2 ? 1 : op == OpCode(Ternary.select) ? x.count - 1 : 0]) }
    if op.isElementwise {
      if op == OpCode(Ternary.select) || op == OpCode(Ternary.clamp) { return t.elementwise(op, x[0], x[1], x[2]) }
      return done(t.elementwise(op, x[0], x.count > 1 ? x[1] : .none, x.count > 2 ? x[2] : .none), Builder.units(op))
    }
    switch op.structural {
    case .sum: return t.sum(x[0], axes: axes, keep: false)
    case .norm, .logsumexp, .prod, .softmax, .cumsum: return t.apply(op.structural ?? .sum, [x[0]], axes)
    case .solve: return t.solve(x[0], x[1], .solve, [0])
    default: return .none
    }
  }

  private mutating func named(_ n: Pattern.Named, _ x: [NodeID]) -> NodeID {
    for y in x where !t.contains(y) { return .none }
    switch n {
    case .spread: return t.spread(x[0], over: variables.first { t.contains($0) && t.uniformConstant($0) == nil } ?? like, axes)
    case .inverse: return t.inverse(x[0])
    case .logdet, .logabsdet:
      let parts = t.slogdet(x[0])
      guard parts.count == 2 else { return .none }
      return n == .logabsdet ? parts[1] : t.select(t.binary(.gt, parts[0], t.zeros(parts[0])), parts[1], t.like(parts[1], .nan))
    case .cross_difference:
      // Kahan: the second fma is exactly what the first product was rounded by.
      let w = done(t.mul(x[2], x[3]), 1)
      return done(t.add(done(t.ternary(.fma, x[0], x[1], t.neg(w)), 1), t.ternary(.fma, t.neg(x[2]), x[3], w)), 1)
    case .exp_slope: return expSlope(x[0])
    case .log_slope: return logSlope(x[0])
    case .sine_defect: return sineDefect(x[0])
    case .cosine_slope: return cosineSlope(x[0])
    case .quadratic_upper: return quadratic(x[0], x[1], x[2], upper: true)
    case .quadratic_lower: return quadratic(x[0], x[1], x[2], upper: false)
    }
  }

  /// c[0] + c[1] x + ..., by Horner's scheme.
  private mutating func polynomial(_ x: NodeID, _ c: [Double]) -> NodeID {
    var y = t.like(x, c[c.count - 1])
    for k in stride(from: c.count - 2, through: 0, by: -1) { y = done(t.add(done(t.mul(y, x), k == 0 ? 1 : 0), t.like(x, c[k])), k == 0 ? 1 : 0) }
    return y
  }

  /// (e^x - 1)/x: its series where |x| < 1, so that derivatives lose nothing either.
  private mutating func expSlope(_ x: NodeID) -> NodeID {
    let one = t.like(x, 1), near = t.binary(.lt, t.unary(.abs, x), one), safe = t.select(near, one, x)
    var c = [1.0]
    for k in 1 ..< 20 { c.append(c[k - 1] / Double(k + 1)) }
    let inside = polynomial(t.ternary(.clamp, x, t.like(x, -1), one), c)
    let outside = done(t.div(done(t.unary(.expm1, safe), 2), safe), 1)
    return t.select(near, inside, outside)
  }

  /// log(1 + x)/x: 2/(2 + x) times the series of atanh(s)/s, s = x/(2 + x), where |x| < 1/2.
  private mutating func logSlope(_ x: NodeID) -> NodeID {
    let half = t.like(x, 0.5), near = t.binary(.lt, t.unary(.abs, x), half), safe = t.select(near, t.like(x, 1), x)
    let z = t.ternary(.clamp, x, t.like(x, -0.5), half), d = done(t.add(z, t.like(x, 2)), 1), s = done(t.div(z, d), 1)
    var c: [Double] = []
    for k in 0 ..< 20 { c.append(1 / Double(2 * k + 1)) }
    let inside = done(t.mul(done(t.div(t.like(x, 2), d), 1), polynomial(done(t.mul(s, s), 1), c)), 1)
    let outside = done(t.div(done(t.unary(.log1p, safe), 2), safe), 1)
    return t.select(near, inside, outside)
  }

  /// x - sin x: x^3 times its series where |x| < 2.
  private mutating func sineDefect(_ x: NodeID) -> NodeID {
    let two = t.like(x, 2), near = t.binary(.lt, t.unary(.abs, x), two), z = t.ternary(.clamp, x, t.like(x, -2), two), q = done(t.mul(z, z), 1)
    var c: [Double] = [1.0 / 6]
    for k in 1 ..< 14 { c.append(-c[k - 1] / Double((2 * k + 2) * (2 * k + 3))) }
    let inside = done(t.mul(done(t.mul(q, z), 1), polynomial(q, c)), 1)
    return t.select(near, inside, done(t.sub(x, done(t.unary(.sin, x), 2)), 1))
  }

  /// (1 - cos x)/x^2: its series where |x| < 2, whose derivative loses nothing at 0.
  private mutating func cosineSlope(_ x: NodeID) -> NodeID {
    let two = t.like(x, 2), near = t.binary(.lt, t.unary(.abs, x), two), z = t.ternary(.clamp, x, t.like(x, -2), two), safe = t.select(near, two, x)
    var c: [Double] = [0.5]
    for k in 1 ..< 14 { c.append(-c[k - 1] / Double((2 * k + 1) * (2 * k + 2))) }
    let r = done(t.div(done(t.unary(.sin, t.scale(safe, 0.5)), 2), safe), 1)
    return t.select(near, polynomial(done(t.mul(z, z), 1), c), t.scale(done(t.mul(r, r), 1), 2))
  }

  /// A root of a x^2 + b x + c: the discriminant by Kahan's fma, the other root by Vieta where b has the sign that cancels.
  private mutating func quadratic(_ a: NodeID, _ b: NodeID, _ c: NodeID, upper: Bool) -> NodeID {
    let four = t.scale(a, 4), w = done(t.mul(four, c), 1)
    let exact = done(t.add(done(t.ternary(.fma, b, b, t.neg(w)), 1), t.ternary(.fma, t.neg(four), c, w)), 1)
    let root = done(t.unary(.sqrt, exact), 1), minus = t.neg(b)
    let cancels = upper ? t.binary(.gt, b, t.zeros(b)) : t.binary(.lt, b, t.zeros(b))
    let plain = done(t.div(done(upper ? t.add(minus, root) : t.sub(minus, root), 1), t.scale(a, 2)), 1)
    // The sum whose members agree in sign; where b does not cancel its place is taken by any number.
    let other = t.select(cancels, done(upper ? t.sub(minus, root) : t.add(minus, root), 1), t.like(b, 1))
    return t.select(cancels, done(t.div(t.scale(c, 2), other), 1), plain)
  }
}
