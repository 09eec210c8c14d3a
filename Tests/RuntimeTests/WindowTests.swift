import CKernels
import Tape
import XCTest
@testable import Runtime

/// Convolutions and pools give the same bits on every instruction set that has FMA and at any number of threads.
final class WindowTests: XCTestCase {
  private struct Shape { var x: [Int], w: [Int], stride: Int, pad: Int, dilation: Int, spread: Int, groups: Int }
  private let shapes = [
    Shape(x: [2, 5, 13, 21], w: [9, 5, 3, 3], stride: 1, pad: 1, dilation: 1, spread: 1, groups: 1),
    Shape(x: [2, 6, 15, 17], w: [6, 1, 3, 3], stride: 1, pad: 1, dilation: 1, spread: 1, groups: 6),
    Shape(x: [1, 40, 70], w: [33, 40, 9], stride: 2, pad: 3, dilation: 2, spread: 1, groups: 1),
    Shape(x: [3, 4, 11], w: [8, 2, 4], stride: 2, pad: 2, dilation: 1, spread: 3, groups: 2),
  ]

  private func program(_ s: Shape, _ d: DType) throws -> (Tape, [NodeID], [NodeID]) {
    let t = Tape(), x = t.input(TensorType(d, s.x)), w = t.input(TensorType(d, s.w)), k = s.x.count - 2
    func all(_ n: Int) -> [Int] { [Int](repeating: n, count: k) }
    let y = t.convolution(x, w, stride: all(s.stride), low: all(s.pad), high: all(s.pad), dilation: all(s.dilation), inputDilation: all(s.spread), groups: s.groups)
    let p = t.maxPool(y, window: all(2), stride: all(1), low: all(1), high: all(0), dilation: all(1)), q = t.averagePool(y, window: all(3), stride: all(2), low: all(1), high: all(1), dilation: all(1), countPadding: false)
    if let f = t.failure { throw f }
    let loss = t.add(t.sum(t.mul(p, p), axes: t.allAxes(p), keep: false), t.sum(t.mul(q, q), axes: t.allAxes(q), keep: false))
    let g = t.vjp([loss], [t.full(TensorType(d, []), 1)], [x, w])
    if let f = t.failure { throw f }
    return (t, [x, w], [y, p, q] + g)
  }

  func testSameBitsOnEveryInstructionSetAndAnyNumberOfThreads() throws {
    let now = ck_level()
    defer { _ = ck_set_level(now) }
    var g = Random(state: 5)
    for s in shapes {
      for d in [DType.f64, .f32, .f16, .bf16] {
        let (t, inputs, outputs) = try program(s, d), x = inputs.map { g.array(t.type($0)) }
        var want: [Bytes] = []
        for level in max(ck_level_max() - 1, 1) ... max(ck_level_max(), 1) where ck_set_level(level) {
          for threads in [1, 3] {
            let p = try Program(t, inputs: inputs, outputs: outputs)
            XCTAssertNil(p.set("threads", Double(threads)))
            let got = try Runner(p).run(x)
            if want.isEmpty { want = got }
            XCTAssertTrue(got == want, "\(s) \(d.name): level \(level), \(threads) threads")
          }
        }
      }
    }
  }

  /// Without FMA products are rounded before they are added: near, not equal.
  func testBaseline() throws {
    let now = ck_level()
    defer { _ = ck_set_level(now) }
    var g = Random(state: 6)
    for s in shapes {
      let (t, inputs, outputs) = try program(s, .f64), x = inputs.map { g.array(t.type($0)) }
      let want = try Runner(t, inputs, outputs).run(x).map { values($0, Double.self) }
      guard ck_set_level(0) else { return }
      let got = try Runner(t, inputs, outputs).run(x).map { values($0, Double.self) }
      _ = ck_set_level(now)
      for (a, b) in zip(got.joined(), want.joined()) { XCTAssertEqual(a, b, accuracy: 1e-10 * max(1, abs(b))) }
    }
  }
}
