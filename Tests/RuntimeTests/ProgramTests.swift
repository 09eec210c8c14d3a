import CKernels
import Dispatch
import Tape
import XCTest
@testable import Runtime

final class ProgramTests: XCTestCase {
  func testOutputsThatAreInputsConstantsAndDuplicates() throws {
    let t = Tape(), x = t.input(TensorType(.f32, [3])), c = t.constant(.f32, 1.5), y = t.neg(x)
    let a = t.array(TensorType(.i32, [2]), [Int32(7), -8])
    let w = t.broadcast(c, to: [2, 2]), h = t.constant(.bf16, 1.0 / 3), b = t.constant(.bool, 1)
    let out = try Runner(t, [x], [x, y, y, c, a, w, t.reshape(y, [3, 1]), x, h, b]).run([bytes([Float(1), 2, 3])])
    XCTAssertEqual(out[0], bytes([Float(1), 2, 3]))
    for i in [1, 2, 6] { XCTAssertEqual(out[i], bytes([Float(-1), -2, -3])) }
    XCTAssertEqual(out[3], bytes([Float(1.5)]))
    XCTAssertEqual(out[4], bytes([Int32(7), -8]))
    XCTAssertEqual(out[5], bytes([Float](repeating: 1.5, count: 4)))
    XCTAssertEqual(out[7], out[0])
    XCTAssertEqual(out[8], bytes([UInt16(0x3EAB)]))
    XCTAssertEqual(out[9], [1])
  }

  func testNullAndOptions() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [])), e = t.input(TensorType(.f64, [0]))
    let p = try Program(t, inputs: [x, e], outputs: [t.unary(.log, x), t.neg(e)]), w = try Workspace(p)
    var v = 0.0, y = 7.0
    XCTAssertEqual(w.run(inputs: [nil, nil], outputs: [UnsafeMutableRawPointer(&y), nil]), .invalid)
    XCTAssertEqual(w.message, "run: input 0 is NULL")
    XCTAssertEqual(w.run(inputs: [UnsafeRawPointer(&v), nil], outputs: [nil, nil]), .invalid)
    XCTAssertEqual(y, 7)
    XCTAssertEqual(w.run(inputs: [UnsafeRawPointer(&v), nil], outputs: [UnsafeMutableRawPointer(&y), nil]), .ok)
    XCTAssertEqual(y, -.infinity)
    XCTAssertNil(p.set("check_finite", 1))
    XCTAssertEqual(w.run(inputs: [UnsafeRawPointer(&v), nil], outputs: [UnsafeMutableRawPointer(&y), nil]), .nonfinite)
    XCTAssertEqual(w.message, "run: output 0 has a NaN or an infinity")
    XCTAssertEqual(p.set("speed", 1)?.message, "program: no option is called speed; there are backend, check_finite, check_guards, memory_limit, scan_slots, threads")
    XCTAssertEqual(w.run(stage: 1, inputs: [nil], outputs: [nil]), .invalid)
  }

  func testKernelSentence() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [4])), i = t.input(TensorType(.i64, [2]))
    let r = try Runner(t, [x, i], [t.neg(t.gather(x, i, axis: -1))])
    _ = r.run([bytes([1.0, 2, 3, 4]), bytes([Int64(1), 4])], expect: .invalid)
    XCTAssertTrue(r.workspace.message.hasPrefix("gather: "), r.workspace.message)
    XCTAssertEqual(r.run([bytes([1.0, 2, 3, 4]), bytes([Int64(1), -1])])[0], bytes([-2.0, -4]))
  }

  // MARK: memory

  func testAliases() throws {
    var g = Random(state: 6)
    for n in [1, 50, 3000] {
      // p -= 0.1 * (g + w p), in place; the second output still reads the old p; the third swaps.
      let type = TensorType(.f64, [n])
      let t = Tape(), p = t.input(type), d = t.input(type), q = t.input(type)
      let step = t.sub(p, t.scale(t.add(d, t.scale(p, 0.5)), 0.1)), sum = t.sum(t.mul(p, step), axes: [-1], keep: true)
      let outputs = [step, t.mul(q, t.broadcast(sum, to: [n])), p]
      let want = try Runner(t, [p, d, q], outputs)
      let v = (0 ..< 3).map { _ in g.array(type) }, expected = want.run(v)
      let program = try Program(t, inputs: [p, d, q], outputs: outputs)
      XCTAssertNil(program.alias(output: 0, input: 0))
      XCTAssertNil(program.alias(output: 1, input: 2))
      XCTAssertNil(program.alias(output: 2, input: 1))
      XCTAssertNotNil(program.alias(output: 2, input: 0))
      XCTAssertNotNil(program.alias(output: 3, input: 0))
      var a = v[0], b = v[1], c = v[2]
      let w = try Workspace(program)
      a.withUnsafeMutableBytes { a in b.withUnsafeMutableBytes { b in c.withUnsafeMutableBytes { c in
        let (x, y, z) = (a.baseAddress, b.baseAddress, c.baseAddress)
        XCTAssertEqual(w.run(inputs: [UnsafeRawPointer(x), UnsafeRawPointer(y), UnsafeRawPointer(z)], outputs: [x, z, y]), .ok)
      } } }
      XCTAssertEqual([a, c, b], expected)
      // Aliases permit, they do not demand.
      XCTAssertEqual(try Runner(program).run(v), expected)
    }
  }

  func testOptimizerStepNeedsNoCopy() throws {
    let t = Tape(), type = TensorType(.f32, [10_000]), p = t.input(type), m = t.input(type), g = t.input(type)
    let m1 = t.add(t.scale(m, 0.9), t.scale(g, 0.1)), p1 = t.sub(p, t.scale(m1, 0.01))
    let program = try Program(t, inputs: [p, m, g], outputs: [p1, m1])
    XCTAssertNil(program.alias(output: 0, input: 0))
    XCTAssertNil(program.alias(output: 1, input: 1))
    XCTAssertLessThan(program.memory, 20_000)
    XCTAssertTrue(program.explanation.contains("-> output"), program.explanation)
  }

  func testMemoryIsReused() throws {
    let t = Tape(), type = TensorType(.f64, [32, 32]), x = t.input(type), w = t.input(type)
    var y = x
    for i in 0 ..< 1000 { y = i % 3 == 0 ? t.matmul(y, w) : i % 3 == 1 ? t.unary(.sin, y) : t.add(y, w) }
    let p = try Program(t, inputs: [x, w], outputs: [t.sum(y, axes: [-1, -2], keep: false)])
    XCTAssertLessThanOrEqual(p.memory, 4 * type.bytes + 16_384)
    // In place: cluster after kernel.
    let q = try Program(t, inputs: [x, w], outputs: [t.matmul(t.unary(.sin, t.matmul(x, w)), w)])
    XCTAssertLessThanOrEqual(q.memory, type.bytes + 8192)   // a panel of a product is packed
  }

  func testNoAllocationInRuns() throws {
    let t = Tape(), x = t.input(TensorType(.f32, [40, 30])), w = t.input(TensorType(.f32, [30, 30])), b = t.input(TensorType(.f32, [30]))
    let h = t.unary(.tanh, t.add(t.matmul(x, w), t.broadcast(b, to: [40, 30])))
    let loss = t.sum(t.mul(h, t.transpose(t.transpose(h, [1, 0]), [1, 0])), axes: [-1, -2], keep: false)
    let body = Tape(parent: t), c = body.input(TensorType(.f32, [30])), k = body.input(TensorType(.f32, [30]))
    let s = t.scan(body: body, inputs: [c, k], outputs: [body.mul(c, k)], init: [b], xs: [w], ys: 0, length: 30, reverse: false)
    let r = try Runner(t, [x, w, b], [loss] + t.grad(loss, [x, w, b]) + t.parts(s))
    if let f = t.failure { throw f }
    var g = Random(state: 1)
    let v = [x, w, b].map { g.array(t.type($0)) }
    let first = r.run(v), count = ck_alloc_count()
    XCTAssertEqual(r.run(v), first)
    XCTAssertEqual(ck_alloc_count(), count)
  }

  func testRefusedMemory() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [100])), y = t.input(TensorType(.f64, []))
    let z = t.sum(t.mul(t.unary(.sin, x), t.broadcast(t.unary(.exp, y), to: [100])), axes: [-1], keep: false)
    let body = Tape(parent: t), c = body.input(TensorType(.f64, []))
    let s = t.parts(t.scan(body: body, inputs: [c], outputs: [body.unary(.sin, c)], init: [z], xs: [], ys: 0, length: 3, reverse: false))
    func once() throws {
      let program = try Program(t, inputs: [x, y], outputs: [z] + s)
      _ = try Workspace(program)
    }
    try once()   // tables that live on
    let before = ck_live_bytes()
    var refusals = 0
    for k in 0 ..< 400 {
      ck_fail_after(Int64(k))
      do { try once() } catch let f as Failure {
        XCTAssertEqual(f.code, .memory)
        refusals += 1
      }
      ck_fail_after(-1)
      XCTAssertEqual(ck_live_bytes(), before, "call \(k)")
    }
    XCTAssertGreaterThan(refusals, 40)
    XCTAssertLessThan(refusals, 400)
  }

  // MARK: stages and threads

  func testStages() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [50])), v = t.input(TensorType(.f64, [50])), u = t.input(TensorType(.f64, [50]))
    let s = t.input(TensorType(.f64, []))
    let y = t.mul(t.unary(.sin, x), t.broadcast(t.unary(.exp, s), to: [50]))
    let dy = t.mul(t.mul(t.unary(.cos, x), t.broadcast(t.unary(.exp, s), to: [50])), v)
    let back = t.add(t.mul(t.unary(.cos, x), u), x)
    let p = try Program(t, stages: [([x, s], [y]), ([v], [dy, y, s]), ([u], [back])])
    let r = try Runner(p)
    var g = Random(state: 8)
    let (vx, vs) = (g.array(t.type(x)), g.array(t.type(s)))
    _ = r.run([g.array(t.type(v))], stage: 1, expect: .invalid)
    XCTAssertEqual(r.workspace.message, "run: stage 1 needs what stage 0 keeps; run that first")
    let whole = try Runner(t, [x, s, v, u], [y, dy, back])
    let out = r.run([vx, vs])
    for _ in 0 ..< 3 {
      let (vv, vu) = (g.array(t.type(v)), g.array(t.type(u))), want = whole.run([vx, vs, vv, vu])
      XCTAssertEqual(out[0], want[0])
      XCTAssertEqual(r.run([vv], stage: 1), [want[1], want[0], vs])
      XCTAssertEqual(r.run([vu], stage: 2)[0], want[2])
    }
    // sin and exp are not in the later stages.
    let later = p.explanation.components(separatedBy: "stage 1").last ?? ""
    XCTAssertEqual(later.components(separatedBy: "operators").count - 1, 2, p.explanation)
  }

  func testThreads() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [64, 64]))
    var y = x
    for _ in 0 ..< 10 { y = t.unary(.tanh, t.matmul(y, y)) }
    let p = try Program(t, inputs: [x], outputs: [y])
    var g = Random(state: 2)
    let v = g.array(t.type(x)), want = try Runner(p).run([v])
    let runners = try (0 ..< 4).map { _ in try Runner(p) }
    let same = UnsafeMutablePointer<Bool>.allocate(capacity: 4)
    defer { same.deallocate() }
    DispatchQueue.concurrentPerform(iterations: 4) { i in same[i] = (0 ..< 20).allSatisfy { _ in runners[i].run([v]) == want } }
    for i in 0 ..< 4 { XCTAssertTrue(same[i]) }
  }

  func testBusy() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [512, 512]))
    var y = x
    for _ in 0 ..< 4 { y = t.matmul(y, y) }
    let w = try Workspace(Program(t, inputs: [x], outputs: [y]))
    var counts = (0 ..< 2).map { _ in [Code: Int]() }
    let results = UnsafeMutablePointer<[Code: Int]>.allocate(capacity: 2)
    results.initialize(from: &counts, count: 2)
    defer { results.deinitialize(count: 2); results.deallocate() }
    DispatchQueue.concurrentPerform(iterations: 2) { i in
      let a = UnsafeMutableRawPointer.allocate(byteCount: 512 * 512 * 8, alignment: 64), b = UnsafeMutableRawPointer.allocate(byteCount: 512 * 512 * 8, alignment: 64)
      defer { a.deallocate(); b.deallocate() }
      memset(a, 0, 512 * 512 * 8)
      for _ in 0 ..< 6 { results[i][w.run(inputs: [UnsafeRawPointer(a)], outputs: [b]), default: 0] += 1 }
    }
    let all = results[0].merging(results[1], uniquingKeysWith: +)
    XCTAssertEqual(Set(all.keys).subtracting([.ok, .busy]), [])
    XCTAssertGreaterThan(all[.ok, default: 0], 0)
    if ProcessInfo.processInfo.activeProcessorCount > 1 { XCTAssertGreaterThan(all[.busy, default: 0], 0) }
  }

  // MARK: millions of single numbers

  func testLongScalarPrograms() throws {
    let n = 1_000_000
    let t = Tape(), x = t.input(TensorType(.f64, [])), y = t.input(TensorType(.f64, []))
    var a = x
    for i in 0 ..< n / 2 { a = i % 2 == 0 ? t.sub(t.mul(a, y), x) : t.add(a, y) }
    var leaves = (0 ..< 1 << 18).map { t.add(t.mul(x, t.constant(.f64, Double($0))), y) }
    while leaves.count > 1 { leaves = stride(from: 0, to: leaves.count, by: 2).map { t.add(leaves[$0], leaves[$0 + 1]) } }
    let r = try Runner(t, [x, y], [a, leaves[0]])
    let out = r.run([bytes([0.5]), bytes([0.25])])
    var want = 0.5
    for i in 0 ..< n / 2 { want = i % 2 == 0 ? want * 0.25 - 0.5 : want + 0.25 }
    XCTAssertEqual(values(out[0], Double.self), [want])
    let m = Double(1 << 18)
    XCTAssertEqual(values(out[1], Double.self)[0], 0.5 * (m - 1) * m / 2 + m * 0.25, accuracy: 1e-3)
    // Constants have slots of their own; of the rest few are alive at once.
    XCTAssertLessThan(r.program.memory, ((1 << 18) + 200) * 8)
  }
}
