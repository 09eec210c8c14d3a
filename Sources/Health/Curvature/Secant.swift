import Runtime
import Tape

/// One pair of a secant update: ||B s - y|| / ||y|| before it; ||y - H s|| / ||y|| against the exact Hessian here; the gradients' noise beside ||y||;
/// and what became of it (0 kept, 1 damped, 2 left out: too little curvature, 3 left out: noise).
package struct Pair: BitwiseCopyable { package var residual = 0.0, secant = 0.0, noise = 0.0, damping = 1.0, state = 0.0 }

/// B by pairs s, y: steps and differences of gradients. BFGS from y·y / s·y of the first pair, L-BFGS of the last one over the latest `memory` pairs, SR1 from the first.
final class SecantApproximation: Approximation {
  enum Kind: Int { case bfgs, lbfgs, sr1 }
  private let kind: Kind, s: Lines, y: Lines, count: Int, noise: Double
  private var used: [Int] = [], yUsed: Lines, bs: Lines, sbs: [Double] = [], sy: [Double] = [], gamma = 1.0
  private(set) var pairs: [Pair] = []
  private var isReady = false

  init(_ name: String, _ c: Curvature, _ kind: Kind, _ steps: UnsafePointer<Double>, _ changes: UnsafePointer<Double>, _ count: Int, memory: Int, noise: Double) throws(Failure) {
    let m = kind == .lbfgs && memory > 0 ? min(memory, count) : count
    (s, y) = (try Lines(m, c.n), try Lines(m, c.n))
    s.p.update(from: steps + (count - m) * c.n, count: m * c.n)
    y.p.update(from: changes + (count - m) * c.n, count: m * c.n)
    for i in 0 ..< m * c.n where !(s.p[i].isFinite && y.p[i].isFinite) { throw Failure(.invalid, "curvature: pair \(i / max(c.n, 1)) is not finite") }
    (yUsed, bs) = (try Lines(m, c.n), try Lines(m, c.n))
    (self.kind, self.count, self.noise) = (kind, m, noise)
    super.init(name, c)
  }
  override func forget() {
    super.forget()
    isReady = false
  }
  override func pair(_ i: Int) -> Pair? { pairs.indices.contains(i) ? pairs[i] : nil }
  override var ownNames: [String] { ["residual", "secant", "noise", "damped", "skipped", "noisy"] }

  override func prepare() throws(Failure) {
    if isReady { return }
    (used, sbs, sy, pairs) = ([], [], [], [])
    gamma = 1
    let w = try Lines(2, n), floor = noise >= 0 ? noise : try c.gradientNoise()
    let order = kind == .lbfgs ? Array((0 ..< count).reversed()) : Array(0 ..< count)
    for i in order {
      let a = dot(s[i], y[i], n), b = dot(y[i], y[i], n)
      if a > 0, b > 0 {
        gamma = b / a
        break
      }
    }
    for i in 0 ..< count {
      var p = Pair()
      let size = norm(y[i], n), length = norm(s[i], n)
      guard size > 0, length > 0 else {
        p.state = 2
        pairs.append(p)
        continue
      }
      try apply(s[i], w[0])
      add(-1, y[i], to: w[0], n)
      p.residual = norm(w[0], n) / size
      try c.product(s[i], w[1])
      add(-1, y[i], to: w[1], n)
      p.secant = norm(w[1], n) / size
      // Two gradients' noise is in a difference.
      p.noise = floor * 2.0.squareRoot() / size
      add(1, y[i], to: w[0], n)
      let k = used.count, sBs = dot(s[i], w[0], n), a = dot(s[i], y[i], n)
      copy(y[i], yUsed[k], n)
      if p.noise > 0.1 { p.state = 3 } else if kind == .sr1 {
        for j in 0 ..< n { bs[k][j] = y[i][j] - w[0][j] }
        let rs = dot(bs[k], s[i], n)
        if abs(rs) < 1e-8 * length * norm(bs[k], n) || rs == 0 { p.state = 2 } else {
          used.append(i)
          sbs.append(rs)
          sy.append(a)
        }
      } else {
        copy(w[0], bs[k], n)
        if sBs > 0, a < 0.2 * sBs {
          let theta = 0.8 * sBs / (sBs - a)
          for j in 0 ..< n { yUsed[k][j] = theta * y[i][j] + (1 - theta) * w[0][j] }
          (p.damping, p.state) = (theta, 1)
        }
        let curved = dot(s[i], yUsed[k], n)
        if curved > 0, sBs > 0 {
          used.append(i)
          sbs.append(sBs)
          sy.append(curved)
        } else { p.state = 2 }
      }
      pairs.append(p)
    }
    isReady = true
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) {
    for i in 0 ..< n { w[i] = gamma * v[i] }
    for (k, i) in used.enumerated() {
      if kind == .sr1 { add(dot(bs[k], v, n) / sbs[k], bs[k], to: w, n) } else {
        add(-dot(bs[k], v, n) / sbs[k], bs[k], to: w, n)
        add(dot(yUsed[k], v, n) / sy[k], yUsed[k], to: w, n)
      }
      _ = i
    }
  }
  override func own(_ figure: String) throws(Failure) -> Figure? {
    try prepare()
    func share(_ state: Double) -> Figure { Figure(Double(pairs.filter { $0.state == state }.count), 0) }
    switch figure {
    case "residual": return Figure(pairs.last?.residual ?? .nan, 0)
    case "secant": return Figure(pairs.last?.secant ?? .nan, pairs.last.map { $0.noise } ?? 0)
    case "noise": return Figure(pairs.last?.noise ?? .nan, 0)
    case "damped": return share(1)
    case "skipped": return share(2)
    case "noisy": return share(3)
    default: return nil
    }
  }
}
