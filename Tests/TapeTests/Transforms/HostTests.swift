@testable import Tape
import XCTest

/// Rules in files and in precisions, beside the cases of their rows (Ops/HostCases.swift).
final class HostTests: XCTestCase {
  private func loaded(_ t: Tape, _ x: [NodeID], _ y: [NodeID]) throws -> Archive.Function {
    let a = Archive()
    try a.add("f", t, inputs: x, names: x.map { _ in "" }, outputs: y, y.map { _ in "" })
    return try a.packed().withUnsafeBytes { p throws(Failure) in try Archive(decoding: p) }.functions[0]
  }

  /// A recorded rule comes back from a file and is the derivative there, under batches too.
  func testRecordedRulesInFiles() throws {
    let t = Tape(), x = t.f64(3), wide = t.f64(4, 3), rule = Tape(), p = (0 ..< 3).map { _ in rule.f64(3) }
    let body = Body(tape: rule, inputs: p, outputs: [rule.mul(rule.mul(p[1], p[2]), rule.like(p[0], 5))])   // not exp's own: 5 y dx
    let y = t.custom(RecordedRule("five", jvp: body, vjp: nil), [x], [t.unary(.exp, x)])
    let ys = t.batch(y, [x], [wide], size: 4)
    let f = try loaded(t, [x, wide], y + ys), g = f.tape.grad(f.tape.add(f.tape.total(f.outputs[0]), f.tape.total(f.outputs[1])), f.inputs)
    XCTAssertNil(f.tape.failure?.message)
    let v = [0.5, -1, 0.25], m = (0 ..< 12).map { 0.1 * Double($0) }
    let out = try evaluate(f.tape, g, [(f.inputs[0], v), (f.inputs[1], m)]), own = try evaluate(t, [t.unary(.exp, x), t.unary(.exp, wide)], [(x, v), (wide, m)])
    XCTAssertEqual(out[0], own[0].map { $0 * 5 })
    XCTAssertEqual(out[1], own[1].map { $0 * 5 })
    let second = f.tape.jvp(g, f.inputs, f.inputs), twice = try evaluate(f.tape, second, [(f.inputs[0], v), (f.inputs[1], m)])
    XCTAssertEqual(twice[0][2], own[0][2] * 25 * v[2], accuracy: 1e-13)
  }

  /// A rule of the host's own stays behind: the values are there, and asking for a derivative says so. A function of the host's own is refused.
  func testHostsOwnInFiles() throws {
    let t = Tape(), x = t.f64(2), rule = HostRule("mine", jvp: { t, x, y, d in d }, vjp: nil)
    let y = t.custom(rule, [x], [t.unary(.sin, x)]), slope = t.grad(t.total(y[0]), [x])
    let f = try loaded(t, [x], y + slope)
    XCTAssertEqual(try evaluate(f.tape, f.outputs, [(f.inputs[0], [0.5, 1])]), try evaluate(t, y + slope, [(x, [0.5, 1])]))
    _ = f.tape.grad(f.tape.total(f.outputs[0]), f.inputs)
    XCTAssertEqual(f.tape.failure?.code, .derivative)
    XCTAssertEqual(f.tape.failure?.message, "mine: has no derivative: its rule was of the host that saved it")
    XCTAssertEqual(t.hostsOwn(y), "mine has a derivative that is a function of the host's own")
    let h = hostFunction("lookup") { $0 }, z = t.hostCall(h, [x], [t.type(x)])
    XCTAssertEqual(t.hostsOwn(z), "lookup is a function of the host's own")
    XCTAssertThrowsError(try loaded(t, [x], z)) { XCTAssertEqual(($0 as? Failure)?.message, "archive: lookup is a function of the host's own, which no file can hold") }
    XCTAssertNil(t.hostsOwn([t.unary(.cos, x)]))
  }

  /// A file may hold any numbers: what is read is sound, and what is not is refused.
  func testAnyAttributesInFiles() throws {
    var g = Random(5), taken = 0, refused = 0
    let rule = Tape(), p = (0 ..< 4).map { _ in rule.f64(2) }
    let body = Body(tape: rule, inputs: p, outputs: [rule.mul(p[3], p[0])]), numbers = [0, 1, 2, 3, -1, 5, 1 << 40, Int.max, Int.min]
    for _ in 0 ..< 3000 {
      let t = Tape(), x = (0 ..< 2 + g.below(3)).map { _ in t.input(TensorType(g.below(8) == 0 ? .i64 : .f64, g.below(3) == 0 ? [3, 2] : [2])) }
      var a = [0, 2, 0]
      if g.below(2) == 0 { a += [3, g.below(2), g.below(2)] }
      for _ in 0 ..< g.below(3) {
        if g.below(4) == 0 { a.append(numbers[g.below(numbers.count)]) } else { a[g.below(a.count)] = numbers[g.below(numbers.count)] }
      }
      let r = RecordedRule("any", jvp: g.below(3) == 0 ? nil : body, vjp: nil)
      guard let n = try? t.restoredCustom(x, a, r, { Failure(.io, $0) }), t.contains(n) else { refused += 1; continue }
      taken += 1
      let y = t.parts(n).filter { t.dtype($0).isFloat }, on = x.filter { t.dtype($0).isFloat }
      if y.isEmpty || on.isEmpty { continue }
      _ = t.jvp(y, on, on)
      t.failure = nil
      _ = t.vjp(y, y, on)
      t.failure = nil
      _ = t.batch(y, [on[0]], [t.input(TensorType(.f64, [4] + t.shape(on[0])))], size: 4)
    }
    XCTAssertGreaterThan(taken, 100)
    XCTAssertGreaterThan(refused, 100)
  }

  /// Under a precision policy the host's own keeps the dtypes it was made for.
  func testPrecision() throws {
    let t = Tape(), x = t.f64(3), f = hostFunction("same") { $0 }, rule = HostRule("same", jvp: { t, x, y, d in d }, vjp: nil)
    let y = t.custom(rule, [x], t.hostCall(f, [x], [t.type(x)])), low = t.precision([t.mul(y[0], y[0])], [x], compute: .bf16, output: .f32)
    XCTAssertNil(t.failure?.message)
    XCTAssertEqual(t.dtype(low[0]), .f32)
    XCTAssertEqual(try evaluate(t, low, [(x, [1.5, -2, 3])]), [[2.25, 4, 9]])
    let g = t.grad(t.total(low[0]), [x])
    XCTAssertEqual(try evaluate(t, g, [(x, [1.5, -2, 3])]), [[3, -4, 6]])
    // Operators on the host's tapes are those of the tape outside.
    XCTAssertTrue(t.hostOperator([1, 2]) { f } === Tape(parent: t).hostOperator([1, 2]) { hostFunction("other") { $0 } })
  }
}
