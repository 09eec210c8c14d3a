import CKernels
import Tape
import XCTest
@testable import Runtime

final class CheckpointTests: XCTestCase {
  /// Every state, last first; the steps run. Each state handed out is the one asked for.
  private func simulate(_ l: Int, _ s: Int, inPassing: Bool) -> Int {
    let positions = UnsafeMutablePointer<Int>.allocate(capacity: s)
    defer { positions.deallocate() }
    var r = Revolve(positions, slots: s, length: l), kept = [Int](repeating: 0, count: s), steps = 0, known = -1
    if inPassing {
      r.descend()
      for k in 0 ..< r.count { kept[k] = positions[k] }
      known = l - 1
    }
    for t in (0 ..< l).reversed() {
      loop: while known != t {
        switch r.next(t) {
        case .take(let k):
          XCTAssertEqual(kept[k], t)
          break loop
        case .keep(let k, let n):
          XCTAssertLessThan(k + 1, s)
          kept[k + 1] = kept[k] + n
          steps += n
        case .advance(let k, let n):
          XCTAssertEqual(kept[k] + n, t)
          steps += n
          known = t
        }
      }
    }
    return steps
  }

  func testCounts() {
    // The definition, by dynamic programming.
    var t = [[Int]](repeating: [Int](repeating: 0, count: 13), count: 81)
    for l in 1 ... 80 {
      for s in 1 ... 12 {
        t[l][s] = l == 1 ? 0 : s == 1 ? l * (l - 1) / 2 : (1 ..< l).map { $0 + t[$0][s] + t[l - $0][s - 1] }.min() ?? 0
        XCTAssertEqual(Revolve.extra(l, slots: s), t[l][s], "\(l) steps, \(s) slots")
        XCTAssertEqual(simulate(l, s, inPassing: false), t[l][s], "\(l) steps, \(s) slots")
        XCTAssertEqual(simulate(l, s, inPassing: true), t[l][s] - (l - 1), "\(l) steps, \(s) slots")
      }
    }
    for (l, s) in [(1000, 1), (1000, 2), (1000, 10), (4096, 3), (9999, 17), (100_000, 20), (100_000, 500), (65_536, 65_535)] {
      XCTAssertEqual(simulate(l, s, inPassing: false), Revolve.extra(l, slots: s), "\(l) steps, \(s) slots")
    }
    // The closed form: 10 slots reverse C(13, 10) = 286 steps with three runs over each.
    XCTAssertEqual(Revolve.beta(10, 3), 286)
    XCTAssertEqual(Revolve.extra(286, slots: 10), 3 * 286 - 78)
    XCTAssertEqual(Revolve.beta(1 << 40, 1 << 40), Int.max)
  }

  private struct Loop { let t: Tape, inputs: [NodeID], outputs: [NodeID] }

  /// A loop of two carries with x's, y's and captured numbers, its value and derivatives of the kinds asked for.
  private func loop(_ n: Int, slots: Int, reverse: Bool = false, order: Int) throws -> Loop {
    let v = TensorType(.f64, [5]), t = Tape(), c0 = t.input(v), s0 = t.input(TensorType(.f64, [])), xs = t.input(TensorType(.f64, [n, 5])), k = t.input(v), d = t.input(v)
    let b = Tape(parent: t), c = b.input(v), s = b.input(TensorType(.f64, [])), x = b.input(v), kk = b.resolve(serial: t.serial, index: k.index)
    let c1 = b.unary(.sin, b.add(b.mul(c, kk), b.mul(x, b.broadcast(s, to: [5])))), s1 = b.unary(.tanh, b.add(s, b.sum(b.mul(c, c1), axes: [-1], keep: false)))
    let y = t.scan(body: b, inputs: [c, s, x], outputs: [c1, s1, b.mul(c1, c)], init: [c0, s0], xs: [xs], ys: 1, length: n, reverse: reverse, slots: slots), p = t.parts(y)
    let loss = t.add(t.add(t.sum(t.mul(p[0], p[0]), axes: [-1], keep: false), p[1]), t.sum(t.unary(.cos, p[2]), axes: [-2, -1], keep: false))
    var out = [loss] + t.grad(loss, [c0, s0, xs, k])
    if order > 1 { out += t.hvp(loss, [c0], [d]) + t.grad(t.sum(t.mul(out[1], d), axes: [-1], keep: false), [c0, k]) }
    if order > 2 {
      let h = t.hvp(loss, [k], [d])[0]
      out += t.grad(t.sum(t.mul(h, d), axes: [-1], keep: false), [c0])
    }
    if let f = t.failure { throw f }
    return Loop(t: t, inputs: [c0, s0, xs, k, d], outputs: out)
  }

  private func arguments(_ l: Loop) -> [Bytes] {
    var g = Random(state: 11)
    return l.inputs.map { bytes((0 ..< l.t.type($0).count).map { _ in Double.random(in: -1 ... 1, using: &g) }) }
  }

  func testSameBits() throws {
    for (n, order) in [(1, 2), (2, 2), (3, 3), (7, 3), (40, 2)] {
      for reverse in [false, true] {
        let stored = try loop(n, slots: 0, reverse: reverse, order: order), x = arguments(stored)
        let want = try Runner(stored.t, stored.inputs, stored.outputs).run(x)
        for slots in [1, 2, 3, 5, n - 1, n, n + 7] where slots > 0 {
          let l = try loop(n, slots: slots, reverse: reverse, order: order), r = try Runner(l.t, l.inputs, l.outputs)
          for _ in 0 ..< 2 { XCTAssertEqual(r.run(x), want, "\(n) steps, \(slots) slots, reverse \(reverse)") }
        }
      }
    }
  }

  /// The loop itself and the one back: what the gradient runs again is what the schedule says, less what the loop kept in passing.
  func testSteps() throws {
    for (n, slots) in [(10, 1), (10, 3), (50, 4), (100, 99), (33, 32), (2, 1)] {
      let l = try loop(n, slots: slots, order: 1), r = try Runner(l.t, l.inputs, [l.outputs[0], l.outputs[1]])
      _ = r.run(arguments(l))
      let runs = r.workspace.instance.refills.flatMap { $0 }
      XCTAssertEqual(runs.map(\.steps), [Revolve.extra(n, slots: slots) - (n - 1)], "\(n) steps, \(slots) slots: \(r.program.explanation)")
    }
  }

  func testMemory() throws {
    func memory(_ n: Int, _ slots: Int, order: Int = 1) throws -> Int {
      let l = try loop(n, slots: slots, order: order)
      return try Program(l.t, inputs: l.inputs, outputs: [l.outputs[0], l.outputs[1]] + (order > 1 ? [l.outputs[5]] : [])).memory
    }
    let a = try memory(1000, 10), b = try memory(4000, 10), c = try memory(4000, 11)
    // What grows with the steps are the loop's own y's and their cotangents: 40 bytes a step each.
    XCTAssertLessThan(b - a, 3000 * 2 * 40 + 4096)
    XCTAssertEqual(c - b, 64)
    XCTAssertGreaterThan(try memory(4000, 0) - b, 4000 * 48 - 4096)
    XCTAssertGreaterThan(try memory(4000, 0, order: 2) - memory(4000, 10, order: 2), 4000 * 96 - 8192)
  }

  func testNested() throws {
    func make(_ outerSlots: Int, _ innerSlots: Int) throws -> Loop {
      let v = TensorType(.f64, [3]), t = Tape(), c0 = t.input(v), k = t.input(v), d = t.input(v)
      let o = Tape(parent: t), c = o.input(v), i = Tape(parent: o), e = i.input(v), q = i.input(v)
      let kk = i.resolve(serial: t.serial, index: k.index), up = i.resolve(serial: o.serial, index: c.index)
      let inner = o.scan(body: i, inputs: [e, q], outputs: [i.unary(.sin, i.add(i.mul(e, kk), up)), i.mul(q, e)], init: [c, o.like(c, 1)], xs: [], ys: 0, length: 6, reverse: false, slots: innerSlots)
      let p = o.parts(inner)
      let outer = t.scan(body: o, inputs: [c], outputs: [o.add(p[0], o.scale(p[1], 0.1))], init: [c0], xs: [], ys: 0, length: 9, reverse: false, slots: outerSlots)
      let loss = t.sum(t.parts(outer)[0], axes: [-1], keep: false), g = t.grad(loss, [c0, k]), h = t.hvp(loss, [c0, k], [d, k])
      if let f = t.failure { throw f }
      return Loop(t: t, inputs: [c0, k, d], outputs: [loss] + g + h)
    }
    let stored = try make(0, 0), x = arguments(stored), want = try Runner(stored.t, stored.inputs, stored.outputs).run(x)
    for (a, b) in [(1, 0), (0, 2), (2, 1), (3, 3), (8, 5)] {
      let l = try make(a, b), r = try Runner(l.t, l.inputs, l.outputs)
      XCTAssertEqual(r.run(x), want, "slots \(a), \(b)")
    }
  }

  /// The point part in one stage, products in another, which runs more than once.
  func testStages() throws {
    let l = try loop(20, slots: 3, order: 1), w = l.t.input(TensorType(.f64, []))
    let g = l.t.vjp([l.outputs[0]], [w], [l.inputs[0], l.inputs[3]])
    let r = try Runner(Program(l.t, stages: [(l.inputs, [l.outputs[0]]), ([w], g)])), x = arguments(l)
    let plain = try Runner(l.t, l.inputs + [w], [l.outputs[0]] + g)
    for _ in 0 ..< 2 {
      let value = r.run(x)
      for k in [1.0, -2.5, 0.125] { XCTAssertEqual(value + r.run([bytes([k])], stage: 1), plain.run(x + [bytes([k])])) }
    }
  }

  func testBatch() throws {
    let l = try loop(12, slots: 2, order: 1), s = try loop(12, slots: 0, order: 1)
    func wide(_ l: Loop) throws -> Runner {
      let c = l.t.input(TensorType(.f64, [4, 5])), y = l.t.batch([l.outputs[0], l.outputs[1]], [l.inputs[0]], [c], size: 4)
      if let f = l.t.failure { throw f }
      return try Runner(l.t, [c] + l.inputs[1...], y)
    }
    var x = arguments(l), g = Random(state: 5)
    x[0] = bytes((0 ..< 20).map { _ in Double.random(in: -1 ... 1, using: &g) })
    let a = try wide(l), b = try wide(s)
    XCTAssertEqual(a.run(x), b.run(x))
    XCTAssertTrue(a.program.explanation.contains("2 of 12 carries kept"), a.program.explanation)
  }

  /// Options: slots for every loop, and as many as fit.
  func testOptions() throws {
    let l = try loop(2000, slots: 0, order: 1), out = [l.outputs[0], l.outputs[1]], x = arguments(l), want = try Runner(l.t, l.inputs, out).run(x)
    let p = try Program(l.t, inputs: l.inputs, outputs: out), whole = p.memory
    XCTAssertNil(p.set("scan_slots", 12))
    let few = p.memory
    XCTAssertLessThan(few, whole - 80_000)
    XCTAssertEqual(try Runner(p).run(x), want)
    XCTAssertNil(p.set("scan_slots", 0))
    XCTAssertEqual(p.memory, whole)
    XCTAssertNil(p.set("memory_limit", Double(whole)))
    XCTAssertEqual(p.memory, whole)
    var before = 0
    for limit in [few, few + 1000, (few + whole) / 2, whole - 1] {
      XCTAssertNil(p.set("memory_limit", Double(limit)))
      XCTAssertLessThanOrEqual(p.memory, limit)
      XCTAssertGreaterThan(p.chosen, before)
      // What is left over would not take many more.
      XCTAssertGreaterThan(p.memory + 64 * (p.chosen / 16 + 2), min(limit, few + 64 * 1900), "\(p.chosen) slots, \(p.memory) of \(limit)")
      before = p.chosen
      XCTAssertTrue(p.explanation.hasPrefix("memory_limit \(limit): loops keep \(p.chosen) carries, \(p.memory) bytes"), p.explanation)
      XCTAssertEqual(try Runner(p).run(x), want)
    }
    let f = p.set("memory_limit", 1000)
    XCTAssertEqual(f?.code, .memory)
    XCTAssertTrue(f?.message.hasPrefix("program: memory_limit is 1000 bytes, the arena needs ") ?? false, f?.message ?? "")
    XCTAssertTrue(f?.message.contains("with every loop keeping one carry") ?? false, f?.message ?? "")
    // As it was.
    XCTAssertLessThan(p.memory, whole)
    XCTAssertNil(p.set("memory_limit", 0))
    XCTAssertEqual(p.memory, whole)
    XCTAssertEqual(p.set("memory_limit", -1)?.code, .invalid)
    XCTAssertEqual(p.set("memory_limit", .nan)?.code, .invalid)
    XCTAssertEqual(p.set("scan_slots", 0.5)?.code, .invalid)
  }
}
