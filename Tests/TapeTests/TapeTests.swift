import CKernels
import Tape
import XCTest

/// Recording: hash-consing, memory, errors that stick, fingerprints, depth.
final class TapeTests: XCTestCase {
  func testHashConsing() {
    let t = Tape(), x = t.f64(2), y = t.f64(2)
    XCTAssertNotEqual(x, y, "inputs are each their own")
    XCTAssertEqual(t.add(x, y), t.add(x, y))
    XCTAssertNotEqual(t.add(x, y), t.add(y, x))
    XCTAssertEqual(t.concat([x, y, x, y, x], axis: -1), t.concat([x, y, x, y, x], axis: -1))
    XCTAssertNotEqual(t.concat([x, y, x, y, x], axis: -1), t.concat([x, y, x, y, y], axis: -1))
    XCTAssertEqual(t.literal([1, 2, 3]), t.literal([1, 2, 3]))
    XCTAssertNotEqual(t.literal([1, 2, 3]), t.literal([1, 2, 3], [3, 1]))
    XCTAssertNotEqual(t.literal([0, 1]), t.literal([-0.0, 1]))
    XCTAssertEqual(t.apply(.sum, [x], [-1]), t.total(x))
    XCTAssertNotEqual(t.cast(x, .f32), t.cast(x, .f16))
    let before = t.count
    for _ in 0 ..< 10 { _ = t.grad(t.total(t.unary(.sin, t.mul(x, y))), [x, y]) }
    let once = t.count
    _ = t.grad(t.total(t.unary(.sin, t.mul(x, y))), [x, y])
    XCTAssertEqual(t.count, once)
    XCTAssertLessThan(once - before, 20)
    t.typecheck()
  }

  func testConstantsByBits() {
    let t = Tape()
    for d in DType.allCases {
      XCTAssertEqual(t.constant(d, 1), t.constant(d, 1))
      guard d.isFloat else { continue }
      XCTAssertNotEqual(t.constant(d, 0), t.constant(d, -0.0), d.name)
      XCTAssertEqual(t.constant(d, .nan), t.constant(d, .nan), d.name)
      XCTAssertEqual(t.constant(d, 1.0 / 3), t.constant(d, rounded(1.0 / 3, to: d)))
    }
    XCTAssertNotEqual(t.constant(.f64, bits: 0x7FF8_0000_0000_0001), t.constant(.f64, bits: 0x7FF8_0000_0000_0002))
    XCTAssertNotEqual(t.constant(.f64, 1), t.constant(.f32, 1))
    XCTAssertEqual(t.constantBits(t.constant(.i64, integer: .max)), UInt64(Int64.max))
    XCTAssertEqual(t.constantBits(t.constant(.i32, 1e30)), UInt64(Int64(Int32.max)), "saturates")
    XCTAssertEqual(t.constantBits(t.constant(.f16, 65520)), Double.infinity.bitPattern)
    XCTAssertEqual(t.constantBits(t.constant(.f16, 65519)), Double(65504).bitPattern)
    XCTAssertEqual(t.constantBits(t.constant(.bf16, 1 + 0x1p-8 + 0x1p-30)), Double(1 + 0x1p-7).bitPattern, "rounded once")
  }

  func testMemoryOfScalarNodes() {
    let t = Tape(), x = t.f64()
    let empty = t.bytes
    var y = x
    for k in 0 ..< 50_000 { y = t.mul(t.add(y, x), k % 2 == 0 ? x : y) }
    XCTAssertEqual(t.count, 100_001)
    XCTAssertLessThanOrEqual(Double(t.bytes - empty) / Double(t.count), 100)
  }

  /// 300,000 nodes deep: nothing recurses.
  func testDepth() throws {
    let n = 300_000, t = Tape(), x = t.f64(), c = t.constant(.f64, 0.999), d = t.constant(.f64, 0.25)
    var y = x
    for _ in 0 ..< n / 3 { y = t.add(t.mul(t.unary(.sin, y), c), d) }
    XCTAssertGreaterThanOrEqual(t.count, n)
    let g = t.grad(y, [x])[0], v = t.jvp([y], [x], [t.constant(.f64, 1)])[0], s = t.simplify([y, g])
    XCTAssertNil(t.failure)
    XCTAssertNotNil(t.fingerprint([x], [g]))
    XCTAssertEqual(t.order([y])?.count, n + 3)
    let r = try evaluate(t, [y, g, v] + s, [(x, [0.5])])
    var a = 0.5, da = 1.0
    for _ in 0 ..< n / 3 {
      da *= cos(a) * 0.999
      a = sin(a) * 0.999 + 0.25
    }
    XCTAssertLessThan(abs(r[0][0] - a), 1e-12)
    XCTAssertEqual(r[1][0].isFinite ? 1 : 0, 1)
    XCTAssertLessThan(distance([r[1], r[4]], [[da], [da]]), 1e-9)
    XCTAssertEqual(r[0], r[3])
  }

  func testDepthOfABatch() throws {
    let t = Tape(), x = t.f64(), c = t.constant(.f64, 0.999), wide = t.input(TensorType(.f64, [2]))
    var y = x
    for _ in 0 ..< 20_000 { y = t.mul(t.unary(.sin, y), c) }
    let b = t.batch([y], [x], [wide], size: 2)[0], r = try evaluate(t, [b, y], [(wide, [0.5, 0.5]), (x, [0.5])])
    XCTAssertEqual(r[0], [r[1][0], r[1][0]])
  }

  // MARK: fingerprints

  func testFingerprints() {
    func program(_ build: (Tape, NodeID, NodeID) -> NodeID, swapped: Bool = false) -> UInt64? {
      let t = Tape(), x = t.f64(3), y = t.f64(3), z = build(t, x, y)
      return t.fingerprint(swapped ? [y, x] : [x, y], [z])
    }
    let base = program { t, x, y in t.mul(t.unary(.sin, x), y) }
    XCTAssertNotNil(base)
    XCTAssertEqual(base, program { t, x, y in
      _ = t.unary(.cos, y)
      return t.mul(t.unary(.sin, x), y)
    }, "other nodes do not count")
    let others: [UInt64?] = [
      program { t, x, y in t.mul(t.unary(.cos, x), y) }, program { t, x, y in t.mul(y, t.unary(.sin, x)) }, program { t, x, y in t.mul(t.unary(.sin, y), x) },
      program { t, x, y in t.add(x, t.like(x, 0)) }, program { t, x, y in t.add(x, t.like(x, -0.0)) },
      program { t, x, y in t.add(x, t.like(x, .nan)) }, program { t, x, y in t.add(x, t.literal([0, 1, 2])) }, program { t, x, y in t.add(x, t.literal([0, 1, 3])) },
      program { t, x, y in t.add(x, t.literal([-0.0, 1, 2])) }, program { t, x, y in t.apply(.slice, [x], [0, 2, 1]) }, program { t, x, y in t.apply(.slice, [x], [1, 2, 1]) },
      program { t, x, y in t.reduce(.max, x, axes: [-1], keep: false) }, program { t, x, y in t.reduce(.min, x, axes: [-1], keep: false) },
      program { t, x, y in t.cast(x, .f32) }, program { t, x, y in t.cast(x, .f16) },
    ]
    XCTAssertEqual(program({ t, x, y in t.mul(t.unary(.sin, x), y) }, swapped: true), program { t, x, y in t.mul(t.unary(.sin, y), x) }, "inputs count by their place")
    XCTAssertEqual(Set(others + [base]).count, others.count + 1)
    XCTAssertEqual(program { t, x, y in t.add(x, t.like(x, .nan)) }, program { t, x, y in t.add(x, t.like(x, .nan)) })
  }

  /// A loop's captured nodes count by what they are, not by their numbers.
  func testFingerprintsOfLoops() {
    func program(extra: Bool, length: Int = 3, reverse: Bool = false, cosine: Bool = false) -> UInt64? {
      let t = Tape()
      if extra { _ = t.constant(.f64, 17) }
      let x = t.f64()
      if extra { _ = t.unary(.exp, x) }
      let k = t.unary(.sin, x), b = Tape(parent: t), c = b.input(TensorType(.f64, []))
      let y = b.mul(cosine ? b.unary(.cos, c) : c, b.resolve(serial: t.serial, index: k.index))
      return t.fingerprint([x], t.parts(t.scan(body: b, inputs: [c], outputs: [y], init: [x], xs: [], ys: 0, length: length, reverse: reverse)))
    }
    XCTAssertNotNil(program(extra: false))
    XCTAssertEqual(program(extra: false), program(extra: true))
    XCTAssertEqual(Set([program(extra: false), program(extra: false, length: 4), program(extra: false, reverse: true), program(extra: false, cosine: true)]).count, 4)
  }

  func testFingerprintErrors() {
    let t = Tape(), x = t.f64(), y = t.f64()
    XCTAssertNil(t.fingerprint([x], [t.add(x, y)]))
    XCTAssertEqual(t.failure?.message, "hash: an output depends on an input that is not listed")
  }

  // MARK: errors

  /// What a mistake says, and that the first one stays.
  private func expect(_ code: Code, _ message: String, file: StaticString = #filePath, line: UInt = #line, _ build: (Tape, NodeID, NodeID) -> Any) {
    let t = Tape(), x = t.f64(2, 3), y = t.f64(3)
    let before = t.count
    let r = build(t, x, y)
    XCTAssertEqual(t.failure?.code, code, t.failure?.message ?? "no error", file: file, line: line)
    XCTAssertEqual(t.failure?.message, message, file: file, line: line)
    if let n = r as? NodeID { XCTAssertTrue(n.isNone, file: file, line: line) }
    if let n = r as? [NodeID] { XCTAssertTrue(n.allSatisfy(\.isNone), file: file, line: line) }
    // Sticky: nothing is recorded any more, the message stays.
    let stopped = t.count
    XCTAssertTrue(t.unary(.sin, x).isNone && t.constant(.f64, 1).isNone && t.f64().isNone && t.matmul(x, x).isNone && t.grad(x, [x])[0].isNone, file: file, line: line)
    XCTAssertEqual(t.failure?.message, message, file: file, line: line)
    XCTAssertEqual(t.count, stopped, file: file, line: line)
    t.failure = nil
    XCTAssertFalse(t.unary(.sin, x).isNone, "after clearing, the tape goes on", file: file, line: line)
    XCTAssertGreaterThanOrEqual(t.count, before, file: file, line: line)
    t.typecheck(file: file, line: line)
  }

  func testBuildingErrors() {
    expect(.shape, "add: shapes [2, 3] and [3] differ; broadcast one first") { t, x, y in t.add(x, y) }
    expect(.dtype, "mul: dtypes f64 and f32 differ; cast one first") { t, x, y in t.mul(y, t.cast(y, .f32)) }
    expect(.dtype, "sin: takes a float, not i64[2]") { t, x, y in t.unary(.sin, t.indices([1, 2])) }
    expect(.dtype, "logical_not: takes bool, not f64[3]") { t, x, y in t.not(y) }
    expect(.dtype, "fold_key: takes i64, not f64[3]") { t, x, y in t.binary(.fold_key, y, y) }
    expect(.shape, "select: shapes [3] and [2, 3] differ; broadcast one first") { t, x, y in t.select(t.binary(.gt, y, y), x, x) }
    expect(.shape, "matmul: shapes [2, 3] and [2, 3] do not fit") { t, x, y in t.matmul(x, x) }
    expect(.shape, "matmul: shapes [2, 3] and [3] are not matrices") { t, x, y in t.matmul(x, y) }
    expect(.shape, "reshape: [2, 3] has 6 elements, [4] has 4") { t, x, y in t.reshape(x, [4]) }
    expect(.shape, "broadcast: shape [2, 3] does not stretch to [2, 4]") { t, x, y in t.broadcast(x, to: [2, 4]) }
    expect(.shape, "transpose: [0, 0] is no order of 2 axes") { t, x, y in t.transpose(x, [0, 0]) }
    expect(.shape, "slice: axis -1: 3 elements from 1 by 1 leave the 3 there are") { t, x, y in t.slice(y, axis: -1, start: 1, count: 3) }
    expect(.shape, "pad: axis -1: negative padding") { t, x, y in t.apply(.pad, [y], [-1, 0, 0]) }
    expect(.shape, "concat: shapes [2, 3] and [3] do not fit along axis 1") { t, x, y in t.concat([x, y], axis: -1) }
    expect(.dtype, "gather: indices are i64 or i32, not f64") { t, x, y in t.gather(x, y, axis: -1) }
    expect(.dtype, "cholesky: takes f64 or f32, not f16") { t, x, y in t.apply(.cholesky, [t.cast(x, .f16)]) }
    expect(.shape, "cholesky: takes square matrices, not shape [2, 3]") { t, x, y in t.apply(.cholesky, [x]) }
    expect(.dtype, "norm: takes a float, not i64[2]") { t, x, y in t.reduce(.norm, t.indices([1, 2]), axes: [-1], keep: false) }
    expect(.shape, "sum: axes [-3] of rank 2") { t, x, y in t.apply(.sum, [x], [-3]) }
    expect(.dtype, "random_uniform: the key is i64, not f64") { t, x, y in t.randomUniform(y, .f64, [2]) }
    expect(.invalid, "dropout: rate 1.0 is not in [0, 1)") { t, x, y in t.dropout(x, t.indices([1]), rate: 1) }
    expect(.invalid, "einsum: \"ij,kl\": 2 operands are named, 1 given") { t, x, y in t.einsum("ij,kl", [x]) }
    expect(.invalid, "einsum: \"ij,ij\": ij has 2 axes, the operand's shape is [3]") { t, x, y in t.einsum("ij,ij", [x, y]) }
    expect(.node, "add: an operand is not a node of this tape") { t, x, y in t.add(x, NodeID(Int32(999))) }
    expect(.node, "matmul: operand 1 is not a node of this tape") { t, x, y in t.matmul(x, .none) }
    expect(.shape, "slice: axis -1: -2 elements from 2 by 1 leave the 3 there are") { t, x, y in t.slice(y, axis: -1, start: 2, count: -2) }
    expect(.shape, "slice: axis -1: \(Int.max) elements from 0 by 2 leave the 3 there are") { t, x, y in t.slice(y, axis: -1, start: 0, count: .max, step: 2) }
  }

  func testTransformErrors() {
    expect(.dtype, "jvp: input 0 is i64[2]; derivatives need a float") { t, x, y in
      let i = t.indices([1, 2])
      return t.jvp([x], [i], [i])
    }
    expect(.shape, "jvp: tangent 0 is f64[3], not f64[2, 3]") { t, x, y in t.jvp([x], [x], [y]) }
    expect(.dtype, "vjp: cotangent 0 is f32[3], not f64[3]") { t, x, y in t.vjp([y], [t.cast(y, .f32)], [y]) }
    expect(.dtype, "vjp: output 0 is bool[3]; derivatives need a float") { t, x, y in
      let b = t.binary(.gt, y, y)
      return t.vjp([b], [b], [y])
    }
    expect(.invalid, "jvp: an input is given twice") { t, x, y in t.jvp([y], [y, y], [y, y]) }
    expect(.invalid, "jacobian: an input is given twice") { t, x, y in t.jacobian([y], [y, y], mode: .auto) }
    expect(.invalid, "substitute: an input is given twice") { t, x, y in t.substitute([y], [y, y], [y, y]) }
    expect(.shape, "grad: the output is f64[3], not a scalar; sum it, or use vjp or jacobian") { t, x, y in t.grad(y, [y]) }
    expect(.shape, "hessian: the output is f64[3], not a scalar; sum it, or use vjp or jacobian") { t, x, y in t.hessian(y, [y]) }
    expect(.node, "vjp: input 0 is not a node of this tape") { t, x, y in t.vjp([y], [y], [NodeID(Int32(77))]) }
    expect(.node, "simplify: output 1 is not a node of this tape") { t, x, y in t.simplify([y, .none]) }
    expect(.invalid, "transpose: mul is not linear in what depends on the inputs") { t, x, y in t.vjp([t.mul(y, y)], [y], [y], linear: true) }
    expect(.invalid, "transpose: sin is not linear in what depends on the inputs") { t, x, y in t.vjp([t.unary(.sin, y)], [y], [y], linear: true) }
    expect(.invalid, "transpose: matmul is not linear in what depends on the inputs") { t, x, y in
      let m = t.matmul(x, x, false, true)
      return t.vjp([m], [m], [x], linear: true)
    }
    expect(.invalid, "transpose: norm is not linear in what depends on the inputs") { t, x, y in
      t.vjp([t.reduce(.norm, y, axes: [-1], keep: true)], [t.literal([1])], [y], linear: true)
    }
    expect(.invalid, "transpose: softmax is not linear in what depends on the inputs") { t, x, y in t.vjp([t.apply(.softmax, [y], [-1])], [y], [y], linear: true) }
    expect(.derivative, "polygamma: has no derivative in operand 0") { t, x, y in t.vjp([t.binary(.polygamma, y, y)], [y], [y]) }
    expect(.derivative, "polygamma: has no derivative in operand 0") { t, x, y in t.jvp([t.binary(.polygamma, y, t.like(y, 2))], [y], [y]) }
    expect(.shape, "batch: input 0 is f64[3], its batch of 4 f64[2, 3]") { t, x, y in t.batch([y], [y], [x], size: 4) }
    expect(.invalid, "batch: size -1") { t, x, y in t.batch([y], [y], [x], size: -1) }
    expect(.dtype, "precision: i64, f64: floats are taken") { t, x, y in t.precision([y], [y], compute: .i64, output: .f64) }
  }

  func testLoopErrors() {
    func body(_ t: Tape, _ f: (Tape, NodeID) -> NodeID) -> (Tape, [NodeID], [NodeID]) {
      let b = Tape(parent: t), c = b.input(TensorType(.f64, [3]))
      return (b, [c], [f(b, c)])
    }
    func loop(_ t: Tape, _ s: (Tape, [NodeID], [NodeID]), _ start: [NodeID], xs: [NodeID] = [], length: Int = 2) -> NodeID {
      t.scan(body: s.0, inputs: s.1, outputs: s.2, init: start, xs: xs, ys: 0, length: length, reverse: false)
    }
    expect(.shape, "scan: carry 0 starts as f64[2, 3], the body takes f64[3]") { t, x, y in loop(t, body(t) { $1 }, [x]) }
    expect(.shape, "scan: carry 0 is f64[3], the body gives f32[3]") { t, x, y in loop(t, body(t) { $0.cast($1, .f32) }, [y]) }
    expect(.invalid, "scan: length -1") { t, x, y in loop(t, body(t) { $1 }, [y], length: -1) }
    expect(.invalid, "scan: 1 body inputs and 1 outputs for 1 carries, 1 x's, 0 y's") { t, x, y in loop(t, body(t) { $1 }, [y], xs: [x]) }
    expect(.node, "scan: the body is not a sub-tape of this tape") { t, x, y in loop(t, body(Tape()) { $1 }, [y]) }
    expect(.shape, "scan: its body failed: add: shapes [3] and [] differ; broadcast one first") { t, x, y in loop(t, body(t) { $0.add($1, $0.constant(.f64, 1)) }, [y]) }
    expect(.invalid, "scan: the body depends on an input that is not among its parameters") { t, x, y in loop(t, body(t) { $0.add($1, $0.f64(3)) }, [y]) }
  }

  /// Nodes carry their tape's serial number: another tape's node resolves to none, an outer tape's is captured.
  func testForeignNodes() {
    let t = Tape(), other = Tape(), x = t.f64(), sub = Tape(parent: t), inner = Tape(parent: sub)
    XCTAssertTrue(t.resolve(serial: other.serial, index: 0).isNone)
    XCTAssertTrue(t.resolve(serial: t.serial, index: 5).isNone)
    XCTAssertTrue(t.resolve(serial: t.serial, index: -1).isNone)
    XCTAssertTrue(t.resolve(serial: sub.serial, index: 0).isNone)
    let c = inner.resolve(serial: t.serial, index: x.index)
    XCTAssertEqual(inner.structural(c), .capture)
    XCTAssertEqual(inner.resolve(serial: t.serial, index: x.index), c)
    XCTAssertEqual(sub.count, 1)
    XCTAssertTrue(inner.resolve(serial: other.serial, index: 0).isNone)
  }
}
