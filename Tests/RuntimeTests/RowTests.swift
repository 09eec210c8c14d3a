import CKernels
import Tape
import XCTest
@testable import Runtime

/// Clusters that run row by row: reductions in them, and results stretched along their rows.
final class RowTests: XCTestCase {
  /// One step by one at several thread counts, to the bit; true when it has clusters of the kind.
  @discardableResult
  private func rows(_ t: Tape, _ inputs: [NodeID: Bytes], _ outputs: [NodeID], file: StaticString = #filePath, line: UInt = #line) throws -> String {
    let p = try check(t, inputs, outputs, file: file, line: line), names = Array(inputs.keys).sorted { $0.index < $1.index }
    let want = try Runner(p).run(names.map { inputs[$0] ?? [] })
    for threads in [1.0, 2, 7] {
      let q = try Program(t, inputs: names, outputs: outputs)
      XCTAssertNil(q.set("threads", threads))
      XCTAssertEqual(try Runner(q).run(names.map { inputs[$0] ?? [] }), want, "\(threads) threads\n\(q.explanation)", file: file, line: line)
    }
    return p.explanation
  }

  /// Softmax written out, layer normalisation, logsumexp and its slope: one step each.
  func testOneStep() throws {
    for d in [DType.f64, .f32] {
      for (m, n) in [(700, 3), (300, 10), (256, 16), (150, 17), (100, 250), (9, 1500), (2, 4096)] {
        let t = Tape(), x = t.input(TensorType(d, [m, n])), y = t.mul(x, x), shape = [m, n]
        func wide(_ v: NodeID) -> NodeID { t.broadcast(v, to: shape) }
        func along(_ op: Structural, _ v: NodeID) -> NodeID { t.reduce(op, v, axes: [-1], keep: true) }
        let e = t.unary(.exp, t.sub(y, wide(along(.max, y)))), softmax = t.div(e, wide(along(.sum, e)))
        let mean = t.div(along(.sum, y), t.like(along(.sum, y), Double(n))), centred = t.sub(y, wide(mean))
        let scaled = t.div(centred, wide(t.unary(.sqrt, t.add(along(.sum, t.mul(centred, centred)), t.like(mean, 1)))))
        let l = along(.logsumexp, y), slope = t.unary(.exp, t.sub(y, wide(l)))
        var r = Random(state: UInt64(n))
        let v = [x: r.array(t.type(x))]
        for out in [[softmax], [scaled], [l, slope], [softmax, mean, slope], [t.mul(t.apply(.softmax, [y], [-1]), y)]] {
          let text = try rows(t, v, out)
          XCTAssertEqual(text.split(separator: "\n").count, 1, text)
          XCTAssertTrue(text.hasPrefix("row by row"), text)
        }
      }
    }
  }

  /// A mixture's terms: three lengths of row in one cluster, one of them written out for a product.
  func testThreeWidths() throws {
    let n = 120, k = 5, d = 7, t = Tape(), x = t.input(TensorType(.f64, [n, k * d])), w = t.input(TensorType(.f64, [k])), c = t.input(TensorType(.f64, [n, k * d]))
    let scaled = t.reshape(x, [n, k, d]), terms = t.sub(t.broadcast(w, to: [n, k]), t.sum(t.mul(scaled, scaled), axes: [-1], keep: false))
    let each = t.reduce(.logsumexp, terms, axes: [-1], keep: false)
    let slopes = t.grad(t.sum(t.mul(each, each), axes: [-1], keep: false), [x, w])
    var r = Random(state: 7)
    let text = try rows(t, [x: r.array(t.type(x)), w: r.array(t.type(w)), c: r.array(t.type(c))], slopes + [t.matmul(slopes[0], c, true, false), each])
    XCTAssertTrue(text.contains("row by row"), text)
  }

  func testRandomRows() throws {
    var clusters = 0
    for d in DType.allCases {
      for seed in 0 ..< 12 {
        var r = Random(state: UInt64(seed * 31) + 5)
        let t = Tape(), n = [64, 250, 601][r.below(3)], k = [1, 4, 25][r.below(3)], m = [1, 3, 16, 18][r.below(4)]
        var inputs: [NodeID: Bytes] = [:], nodes: [NodeID] = []
        for shape in [[n, k, m], [n, k, 1], [k, m], [n, 1, 1], [], [n, k, m]] {
          let x = t.input(TensorType(d, shape))
          inputs[x] = r.array(t.type(x))
          nodes.append(x)
        }
        for _ in 0 ..< 30 {
          let a = nodes[r.below(nodes.count)], b = nodes[r.below(nodes.count)], s = t.shape(a)
          switch r.below(11) {
          case 0 where d.isFloat: nodes.append(t.unary(.tanh, a))
          case 1 where s.count > 1: nodes.append(t.reduce([Structural.sum, .max, .min, .prod][r.below(4)], a, axes: [-1], keep: true))
          case 2 where s.count > 2: nodes.append(t.reduce([Structural.sum, .max][r.below(2)], a, axes: [-2], keep: true))
          case 3 where s.count > 2: nodes.append(t.reduce(.sum, a, axes: [-2, -1], keep: true))
          case 4 where s.count > 1 && d.isFloat: nodes.append(t.reduce(.logsumexp, a, axes: [-1], keep: true))
          case 5 where s.count > 1 && d.isFloat: nodes.append(t.apply(.softmax, [a], [-1 - r.below(2)]))
          case 6 where s.count > 1: nodes.append(t.reshape(t.reshape(a, [t.type(a).count]), s))
          case 7: nodes.append(t.cast(t.cast(a, d == .f32 ? .f64 : .f32), d))
          default:
            guard let s = broadcastShapes(t.shape(a), t.shape(b)) else { continue }
            let x = t.broadcast(a, to: s), y = t.broadcast(b, to: s)
            nodes.append(d == .bool ? t.binary(.logical_xor, x, y) : [t.add(x, y), t.binary(.maximum, x, y), t.select(t.binary(.lt, x, y), x, y)][r.below(3)])
          }
        }
        var outputs = (0 ..< 4).map { _ in nodes[r.below(nodes.count)] }
        outputs.append(nodes[nodes.count - 1])
        if try rows(t, inputs, outputs).contains("row by row") { clusters += 1 }
      }
    }
    XCTAssertGreaterThan(clusters, 20)
  }
}
