import CKernels
import Tape
import XCTest
@testable import Runtime

/// Calls of one function on several numbers, made at once: each program against its operators one by one.
final class JoinedCallTests: XCTestCase {
  private let functions: [Unary] = [.sin, .cos, .exp, .tanh, .log1p, .erf, .atan, .sqrt, .lgamma]

  /// A row's kernel on one number.
  private func call(_ f: Unary, _ x: Double) -> Double {
    var x = x, y = 0.0
    ck_row_kernel(Int32(f.rawValue), 0)?(&x, nil, nil, &y, 1)
    return y
  }

  private func check(_ g: inout Random, nodes: Int, window: Int, functions: [Unary]) throws -> String {
    let t = Tape(), x = t.input(TensorType(.f64, [8]))
    var point = (0 ..< 8).map { _ in Double.random(in: -2 ... 2, using: &g) }
    point[3] = .nan
    point[5] = -.infinity
    var list = (0 ..< 8).map { t.reshape(t.slice(x, axis: -1, start: $0, count: 1), []) }, known = point
    list.append(t.constant(.f64, 0.75))
    known.append(0.75)
    for _ in 0 ..< nodes {
      let from = max(list.count - window, 0), a = from + g.below(list.count - from), b = from + g.below(list.count - from)
      switch g.below(3) {
      case 0:
        list.append(t.add(list[a], list[b]))
        known.append(known[a] + known[b])
      case 1 where g.below(4) == 0:
        list.append(t.mul(list[a], list[b]))
        known.append(known[a] * known[b])
      default:
        let f = functions[g.below(functions.count)]
        list.append(t.unary(f, list[a]))
        known.append(call(f, known[a]))
      }
    }
    let outputs = [list[list.count - 1], t.concat(list.map { t.reshape($0, [1]) }, axis: -1)]
    var text = ""
    for backend in [1.0, 2.0] {
      let p = try Program(t, inputs: [x], outputs: outputs)
      XCTAssertNil(p.set("backend", backend))
      let r = try Runner(p).run([bytes(point)])
      let got = values(r[1], Double.self)
      for k in known.indices where got[k].bitPattern != known[k].bitPattern && !(got[k].isNaN && known[k].isNaN) { XCTFail("node \(k): \(got[k]), not \(known[k])") }
      text = p.explanation
    }
    return text
  }

  func testRandomPrograms() throws {
    var g = Random(state: 41)
    for n in [2, 5, 17, 60, 200, 700] {
      for window in [4, 12, 1000] { _ = try check(&g, nodes: n, window: window, functions: functions) }
    }
    // Runs longer than one call takes, and farther apart.
    for n in [40, 3000] { _ = try check(&g, nodes: n, window: 10_000, functions: [.sin]) }
  }

  /// The same bits in every place of a run, whatever stands beside.
  func testPlaces() {
    var g = Random(state: 42)
    for f in functions {
      let x = (0 ..< JoinedCalls.most).map { _ in Double.random(in: -3 ... 3, using: &g) }
      for n in 1 ... x.count {
        var y = [Double](repeating: 0, count: n)
        ck_row_kernel(Int32(f.rawValue), 0)?(x, nil, nil, &y, n)
        for k in 0 ..< n { XCTAssertTrue(y[k].bitPattern == call(f, x[k]).bitPattern || y[k].isNaN, "\(f) \(n) \(k)") }
      }
    }
  }

  func testSeven() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [7]))
    let angles = (0 ..< 7).map { t.reshape(t.slice(x, axis: -1, start: $0, count: 1), []) }
    var y = t.constant(.f64, 0.5)
    for a in angles { y = t.add(t.mul(y, t.unary(.sin, a)), t.unary(.cos, a)) }
    let p = try Program(t, inputs: [x], outputs: [y])
    // 7 sums and products, 14 operands gathered, 2 calls.
    XCTAssertTrue(p.explanation.contains("scalar: 30 instructions"), p.explanation)
  }
}

/// Numbers that a cluster reads from places known beforehand, in every plan and on every back end.
final class NearNumberTests: XCTestCase {
  func testManyNumbers() throws {
    var g = Random(state: 43)
    for (n, dtype) in [(20, DType.f64), (300, .f64), (300, .f32)] {
      let t = Tape(), x = t.input(TensorType(dtype, [9])), y = t.input(TensorType(dtype, [7]))
      let parts = (0 ..< 9).map { t.reshape(t.slice(x, axis: -1, start: $0, count: 1), []) }
      var sum = y, numbers: [NodeID] = []
      for k in 0 ..< n {
        let a = t.add(t.mul(parts[g.below(9)], parts[g.below(9)]), k > 3 ? numbers[g.below(k)] : parts[0])
        numbers.append(t.mul(a, t.constant(dtype, 0.01 * Double(k))))
        let b = k % 3 == 0 ? t.constant(dtype, 0.3 + Double(k)) : numbers[k]
        sum = t.add(t.mul(k % 2 == 0 ? sum : y, t.broadcast(b, to: [7])), y)
      }
      let last = t.mul(numbers[n - 1], t.sum(sum, axes: [-1], keep: false))
      let outputs = [sum, numbers[n / 2], numbers[n / 3], last, t.broadcast(last, to: [7])], given = [g.array(TensorType(dtype, [9])), g.array(TensorType(dtype, [7]))]
      var want: [Bytes] = []
      for backend in [1.0, 2, 0] {
        let p = try Program(t, inputs: [x, y], outputs: outputs)
        XCTAssertNil(p.set("backend", backend))
        let r = try Runner(p), first = r.run(given)
        XCTAssertEqual(first, r.run(given))
        if want.isEmpty { want = first }
        XCTAssertEqual(first, want)
      }
    }
  }
}
