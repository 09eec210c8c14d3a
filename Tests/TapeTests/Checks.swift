import Runtime
import Tape
import XCTest

/// Everything that derivatives of one function have to satisfy, each against another.
struct DerivativeCheck {
  let c: Case, d: DType, where_: String
  let t = Tape(), x: [NodeID], y: [NodeID], on: [NodeID], v: [NodeID], w: [NodeID], u: [NodeID]
  let ys: [Int]
  var rng: Random
  var values: [Doubles] = [], dirs: [Doubles] = [], cts: [Doubles] = [], others: [Doubles] = []

  init(_ c: Case, _ d: DType, seed: UInt64) {
    self.c = c
    self.d = d
    where_ = "\(c.name) \(d.name)"
    rng = Random(seed)
    let t = self.t
    x = c.types.map { t.input($0.dtype == .f64 ? $0.with(d) : $0) }
    y = c.build(t, x)
    ys = y.indices.filter { [y, t] in t.contains(y[$0]) && t.dtype(y[$0]).isFloat }
    on = c.active.map { [x] in x[$0] }
    v = on.map { t.input(t.type($0)) }
    u = on.map { t.input(t.type($0)) }
    w = ys.map { [y] in t.input(t.type(y[$0])) }
    values = zip(c.sample(&rng), c.types).map { $1.dtype == .f64 ? stored($0, d) : $0 }
    func draw(_ n: [NodeID]) -> [Doubles] { n.map { stored(rng.values(t.type($0).count), d) } }
    dirs = draw(v)
    others = draw(u)
    cts = draw(w)
  }

  private var outs: [NodeID] { ys.map { y[$0] } }
  private func run(_ nodes: [NodeID]) throws -> [Doubles] { try evaluate(t, nodes, given(values)) }
  private func given(_ at: [Doubles]) -> [(NodeID, Doubles)] {
    Array(zip(x, at)) + Array(zip(v, dirs)) + Array(zip(w, cts)) + Array(zip(u, others))
  }
  private func fail(_ s: String, _ file: StaticString, _ line: UInt) { XCTFail("\(where_): \(s)", file: file, line: line) }

  /// Returns the number of assertions made.
  func all(file: StaticString = #filePath, line: UInt = #line) throws -> Int {
    if let f = t.failure { fail(f.message, file, line); return 0 }
    guard !ys.isEmpty, !on.isEmpty else { t.typecheck(file: file, line: line); return 1 }
    let dy = t.jvp(outs, on, v), g = t.vjp(outs, w, on)
    let dg = t.jvp(g, on, v), gd = t.vjp(dy, w, on), du = t.jvp(outs, on, u), ddy = t.jvp(dy, on, u), ddu = t.jvp(du, on, v)
    let gg = t.vjp(g, u, on), dgu = t.jvp(g, on, u)
    let transposed = t.vjp(dy, w, v, linear: true)
    let J = t.jacobian(outs, on, mode: .forward), R = t.jacobian(outs, on, mode: .reverse)
    t.typecheck(file: file, line: line)
    if let f = t.failure { fail(f.message, file, line); return 0 }
    let lists = [dy, g, dg, gd, ddy, ddu, gg, dgu, transposed, J, R]
    var flat = try run(lists.flatMap { $0 })[...]
    let r = lists.map { l in defer { flat = flat.dropFirst(l.count) }; return Array(flat.prefix(l.count)) }
    let (jv, jw, dgv, gdv, d2a, d2b, ggv, dguv, tw, jf, jr) = (r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10])
    for (name, list) in zip(["jvp", "vjp", "jvp of vjp", "vjp of jvp", "jvp of jvp", "", "vjp of vjp", "", "transpose of jvp", "jacobian", "jacobian"], r) {
      if !list.joined().allSatisfy(\.isFinite) { fail("\(name) is not finite: \(list)", file, line) }
    }
    // <w, Jv> = <J^T w, v>
    var sum = 0.0
    for (o, ct) in cts.enumerated() {
      for (i, dir) in dirs.enumerated() {
        let block = jf[o * dirs.count + i]
        for p in ct.indices { for q in dir.indices { sum += abs(ct[p] * block[p * dir.count + q] * dir[q]) } }
      }
    }
    let n = max(cts.reduce(0) { $0 + $1.count } + dirs.reduce(0) { $0 + $1.count }, 2)
    let bound = 8 * gamma(n, d) * sum * c.slack + Double(n) * tiny(d)
    let error = abs(dot(cts, jv) - dot(jw, dirs))
    if !(error <= bound) { fail("<w,Jv> and <J^T w,v> differ by \(error), bound \(bound)", file, line) }
    let close = 64 * gamma(n, d) * c.slack
    func agree(_ name: String, _ a: [Doubles], _ b: [Doubles], _ limit: Double) {
      let e = distance(a, b)
      if !(e <= limit) { fail("\(name): \(e) > \(limit)\n\(a)\n\(b)", file, line) }
    }
    agree("jvp of vjp, vjp of jvp", dgv, gdv, close)
    agree("jvp of jvp, either order", d2a, d2b, close)
    agree("vjp of vjp, jvp of vjp", ggv, dguv, close)
    agree("vjp, transpose of jvp", jw, tw, c.elementwise ? 0 : close)
    agree("jacobian forward, reverse", jf, jr, close)
    // Second order: <w, D2f[v, u]> both ways.
    let second = abs(dot(cts, d2a) - dot(dgv, others)), size = max(1, cts.joined().reduce(0) { $0 + abs($1) }) * max(1, magnitude(d2a.flatMap { $0 }))
    if !(second <= close * size) { fail("<w,D2f[v,u]> differs by \(second)", file, line) }
    var made = 7
    if d == .f64, !c.stops { made += try differences(dy, ddy, jv, d2a, agree, file, line) }
    made += try batches(dy + g, file, line)
    return made
  }

  /// Central differences of values and of first derivatives.
  private func differences(_ dy: [NodeID], _ ddy: [NodeID], _ jv: [Doubles], _ d2: [Doubles],
                           _ agree: (String, [Doubles], [Doubles], Double) -> Void, _ file: StaticString, _ line: UInt) throws -> Int {
    let h = 1e-5
    let runner = try Runner(t, x + v + w + u, outs + dy)
    func at(_ s: Double, along: [Doubles]) throws -> [Doubles] {
      var p = values
      for (k, i) in c.active.enumerated() { p[i] = zip(p[i], along[k]).map { $0 + s * $1 } }
      return try runner(p + dirs + cts + others)
    }
    let m = outs.count
    let (a, b) = (try at(h, along: dirs), try at(-h, along: dirs))
    agree("central difference", zip(a[..<m], b[..<m]).map { zip($0, $1).map { ($0 - $1) / (2 * h) } }, jv, 1e-6)
    let (e, f) = (try at(h, along: others), try at(-h, along: others))
    agree("central difference of the jvp", zip(e[m...], f[m...]).map { zip($0, $1).map { ($0 - $1) / (2 * h) } }, d2, 1e-6)
    return 2
  }

  /// A batch against a loop: all operands batched, then each alone. To the bit for elementwise functions.
  private func batches(_ derived: [NodeID], _ file: StaticString, _ line: UInt) throws -> Int {
    var g = rng
    let size = 3, all = x + v + w + u, targets = y + derived
    let samples = (0 ..< size).map { _ in
      zip(c.sample(&g), c.types).map { $1.dtype == .f64 ? stored($0, d) : $0 } + (v + w + u).map { stored(g.values(t.type($0).count), d) }
    }
    let loop = try Runner(t, all, targets)
    var choices = [Array(all.indices)]
    if x.count > 1 { choices += x.indices.map { [$0] } }
    for choice in choices {
      let wide = choice.map { t.input(TensorType(t.dtype(all[$0]), [size] + t.shape(all[$0]))) }
      let out = t.batch(targets, choice.map { all[$0] }, wide, size: size)
      if let f = t.failure { fail("batch of \(choice): \(f.message)", file, line); return 0 }
      let rest = all.indices.filter { !choice.contains($0) }
      let got = try evaluate(t, out, choice.enumerated().map { k, i in (wide[k], samples.flatMap { $0[i] }) } + rest.map { (all[$0], samples[0][$0]) })
      let one = try samples.map { s in try loop(all.indices.map { choice.contains($0) ? s[$0] : samples[0][$0] }) }
      let want = targets.indices.map { k in one.flatMap { $0[k] } }
      if c.elementwise {
        if !sameBits(got, want) { fail("batch of \(choice) differs from a loop\n\(got)\n\(want)", file, line) }
      } else {
        let e = distance(got, want), limit = 64 * gamma(max(x.reduce(0) { $0 + t.type($1).count }, 8), d) * c.slack
        if !(e <= limit) { fail("batch of \(choice): \(e) > \(limit)\n\(got)\n\(want)", file, line) }
      }
    }
    t.typecheck(file: file, line: line)
    return choices.count
  }
}
