import Tape
import XCTest

/// Two transforms in either order give the same numbers: all sixteen ordered pairs of jvp, vjp, batch and simplify.
final class PairTests: XCTestCase {
  private struct Bench {
    let c: Case, t = Tape(), x: [NodeID], y: [NodeID], on: [NodeID], v: [NodeID], u: [NodeID], w: [NodeID]
    let values: [Doubles], seeds: [Doubles]
    init(_ c: Case, seed: UInt64) {
      self.c = c
      var g = Random(seed)
      let t = self.t
      x = c.types.map { t.input($0) }
      y = c.build(t, x)
      on = c.active.map { [x] in x[$0] }
      v = on.map { t.input(t.type($0)) }
      u = on.map { t.input(t.type($0)) }
      w = y.map { t.input(t.type($0)) }
      values = c.sample(&g)
      seeds = (v + u + w).map { g.values(t.type($0).count) }
    }
    var all: [NodeID] { x + v + u + w }
    var data: [Doubles] { values + seeds }
    func run(_ nodes: [NodeID]) throws -> [Doubles] { try evaluate(t, nodes, Array(zip(all, data))) }
  }

  private func agree(_ b: Bench, _ name: String, _ p: [NodeID], _ q: [NodeID], exactly: Bool = false) throws {
    if let f = b.t.failure { return XCTFail("\(b.c.name), \(name): \(f.message)") }
    let r = try b.run(p + q), l = Array(r[..<p.count]), m = Array(r[p.count...])
    XCTAssertTrue(l.joined().allSatisfy(\.isFinite), "\(b.c.name), \(name)")
    if exactly { return XCTAssertTrue(sameBits(l, m), "\(b.c.name), \(name)\n\(l)\n\(m)") }
    XCTAssertLessThanOrEqual(distance(l, m), 256 * gamma(8, .f64) * b.c.slack, "\(b.c.name), \(name)\n\(l)\n\(m)")
  }

  func testJvpAndVjp() throws {
    for (k, c) in programs.enumerated() {
      let b = Bench(c, seed: UInt64(k)), t = b.t
      let dy = t.jvp(b.y, b.on, b.v), du = t.jvp(b.y, b.on, b.u), g = t.vjp(b.y, b.w, b.on)
      try agree(b, "jvp of jvp", t.jvp(dy, b.on, b.u), t.jvp(du, b.on, b.v))
      try agree(b, "jvp of vjp, vjp of jvp", t.jvp(g, b.on, b.v), t.vjp(dy, b.w, b.on))
      try agree(b, "vjp of vjp", t.vjp(g, b.u, b.on), t.jvp(g, b.on, b.u))
      try agree(b, "vjp is transpose of jvp", g, t.vjp(dy, b.w, b.v, linear: true))
      t.typecheck()
    }
  }

  func testSimplify() throws {
    for (k, c) in programs.enumerated() {
      let b = Bench(c, seed: UInt64(100 + k)), t = b.t
      let s = t.simplify(b.y), dy = t.jvp(b.y, b.on, b.v), g = t.vjp(b.y, b.w, b.on)
      try agree(b, "simplify", s, b.y, exactly: c.types.count < 2)
      XCTAssertEqual(t.simplify(s), s, "\(c.name): simplify twice")
      try agree(b, "simplify of jvp", t.simplify(dy), dy)
      try agree(b, "jvp of simplify", t.jvp(s, b.on, b.v), dy)
      try agree(b, "simplify of vjp", t.simplify(g), g)
      try agree(b, "vjp of simplify", t.vjp(s, b.w, b.on), g)
      try agree(b, "simplify of second order", t.simplify(t.jvp(t.simplify(g), b.on, b.v)), t.jvp(g, b.on, b.v))
      t.typecheck()
    }
  }

  /// batch against the loop it stands for, alone and around each other transform on either side.
  func testBatch() throws {
    var comparisons = 0
    for (k, c) in programs.enumerated() {
      let b = Bench(c, seed: UInt64(200 + k)), t = b.t, size = 3
      var g = Random(UInt64(300 + k))
      let wide = b.all.map { t.input(TensorType(t.dtype($0), [size] + t.shape($0))) }
      let samples = (0 ..< size).map { _ in c.sample(&g) + b.seeds.map { g.values($0.count) } }
      let n = b.x.count, m = b.on.count
      func slice(_ from: Int, _ count: Int) -> [NodeID] { Array(wide[from ..< from + count]) }
      let X = slice(0, n), V = slice(n, m), W = slice(n + 2 * m, b.y.count), on = c.active.map { X[$0] }
      let dy = t.jvp(b.y, b.on, b.v), gr = t.vjp(b.y, b.w, b.on)
      let Y = t.batch(b.y, b.x, X, size: size)
      let pairs: [(String, [NodeID], [NodeID])] = [
        ("batch", b.y, Y),
        ("batch of jvp", dy, t.batch(dy, b.all, wide, size: size)), ("jvp of batch", dy, t.jvp(Y, on, V)),
        ("batch of vjp", gr, t.batch(gr, b.all, wide, size: size)), ("vjp of batch", gr, t.vjp(Y, W, on)),
        ("batch of simplify", b.y, t.batch(t.simplify(b.y), b.x, X, size: size)), ("simplify of batch", b.y, t.simplify(Y)),
        ("vjp of batch of jvp", t.vjp(dy, b.w, b.on), t.vjp(t.batch(dy, b.all, wide, size: size), W, on)),
      ]
      if let f = t.failure { XCTFail("\(c.name): \(f.message)"); continue }
      for (name, one, many) in pairs {
        let loop = try Runner(t, b.all, one), r = try samples.map { try loop($0) }
        let got = try evaluate(t, many, wide.indices.map { i in (wide[i], samples.flatMap { $0[i] }) })
        let want = one.indices.map { i in r.flatMap { $0[i] } }
        XCTAssertLessThanOrEqual(distance(got, want), 256 * gamma(8, .f64) * c.slack, "\(c.name), \(name)")
        comparisons += 1
      }
      t.typecheck()
    }
    print("batch comparisons: \(comparisons)")
  }

  /// A batch of a batch, over different operands, in both orders.
  func testBatchOfBatch() throws {
    for (k, c) in programs.enumerated() where c.active.count > 0 {
      let b = Bench(c, seed: UInt64(400 + k)), t = b.t
      var g = Random(UInt64(500 + k))
      let i = c.active[0], j = c.active[c.active.count - 1]
      let rows = (0 ..< 2).map { _ in c.sample(&g) }, columns = (0 ..< 3).map { _ in c.sample(&g) }
      let r = t.input(TensorType(.f64, [2] + t.shape(b.x[i]))), s = t.input(TensorType(.f64, [3] + t.shape(b.x[j])))
      // One operand only: batched over it twice.
      let q = i == j ? t.input(TensorType(.f64, [3, 2] + t.shape(b.x[i]))) : .none
      let inner = t.batch(b.y, [b.x[i]], [r], size: 2), outer = i == j ? t.batch(inner, [r], [q], size: 3) : t.batch(inner, [b.x[j]], [s], size: 3)
      let other = i == j ? outer : t.batch(t.batch(b.y, [b.x[j]], [s], size: 3), [b.x[i]], [r], size: 2)
      let swapped = i == j ? other : other.map { t.transpose($0, [1, 0] + Array(2 ..< t.shape($0).count)) }
      if let f = t.failure { XCTFail("\(c.name): \(f.message)"); continue }
      let loop = try Runner(t, b.x, b.y)
      var want = b.y.map { _ in Doubles() }
      var data: [Doubles] = []
      for col in columns {
        for row in rows {
          var v = b.values
          v[i] = row[i]
          if i != j { v[j] = col[j] }
          for (o, y) in try loop(v).enumerated() { want[o] += y }
        }
        data.append(rows.flatMap { $0[i] })
      }
      let inputs: [(NodeID, Doubles)] = i == j ? [(q, data.flatMap { $0 })] : [(r, rows.flatMap { $0[i] }), (s, columns.flatMap { $0[j] })]
      let rest = b.x.indices.filter { $0 != i && $0 != j }.map { (b.x[$0], b.values[$0]) }
      let got = try evaluate(t, outer + swapped, inputs + rest)
      XCTAssertLessThanOrEqual(distance(Array(got[..<b.y.count]), want), 256 * gamma(8, .f64) * c.slack, c.name)
      XCTAssertLessThanOrEqual(distance(Array(got[b.y.count...]), want), 256 * gamma(8, .f64) * c.slack, c.name)
    }
  }

  /// The same derivative checks as for single rows, on whole programs.
  func testDerivativesOfPrograms() throws {
    let kinks: Set = ["max and min with ties"]
    var checks = 0
    for (k, c) in programs.enumerated() {
      var c = c
      c.stops = kinks.contains(c.name)
      checks += try DerivativeCheck(c, .f64, seed: UInt64(600 + k)).all()
    }
    print("programs: \(programs.count), checks: \(checks)")
  }
}
