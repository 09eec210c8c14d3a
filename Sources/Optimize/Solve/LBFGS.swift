import Runtime
import Tape

/// The descent by limited-memory BFGS: Nocedal (1980), Liu & Nocedal (1989); the two-loop recursion with the scaling sᵀy / yᵀy.
final class LBFGS {
  static let defaults: [(String, Double)] = [("memory", 10)]
  private let n: Int
  private var vectors = Vectors()
  private var s: [Vector] = [], y: [Vector] = [], rho: [Double] = [], weights: [Double] = []
  private var memory = 0
  init(_ n: Int) { self.n = n }
  var isEmpty: Bool { rho.isEmpty }

  /// Room for `memory` pairs, none of them known.
  func forget(memory m: Int? = nil) throws(Failure) {
    if let m, m != memory {
      vectors = Vectors()
      (s, y) = ([], [])
      for _ in 0 ..< m {
        s.append(try vectors.make(n))
        y.append(try vectors.make(n))
      }
      memory = m
      weights = [Double](repeating: 0, count: m)
    }
    rho = []
  }

  /// d = -H g.
  func direction(_ g: Vector, _ d: Vector) {
    for i in 0 ..< n { d[i] = -g[i] }
    guard let last = rho.indices.last else { return }
    for k in rho.indices.reversed() {
      weights[k] = rho[k] * dot(s[k], d, n)
      add(-weights[k], y[k], to: d, n)
    }
    scale(d, 1 / (rho[last] * dot(y[last], y[last], n)), n)
    for k in rho.indices { add(weights[k] - rho[k] * dot(y[k], d, n), s[k], to: d, n) }
  }

  /// From one point and gradient to the next; a pair without positive curvature is left out.
  func learn(_ x: Vector, _ next: Vector, _ g: Vector, _ nextGradient: Vector) {
    if rho.count == memory {
      rho.removeFirst()
      s.append(s.removeFirst())
      y.append(y.removeFirst())
    }
    let k = rho.count
    sum(next, -1, x, s[k], n)
    sum(nextGradient, -1, g, y[k], n)
    let sy = dot(s[k], y[k], n)
    if sy > 1e-16 * norm(s[k], n) * norm(y[k], n), (1 / sy).isFinite { rho.append(1 / sy) }
  }
}
