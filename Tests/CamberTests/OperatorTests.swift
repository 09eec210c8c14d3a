import Camber
import Glibc
import XCTest

/// Nodes as Swift writes them: operators, broadcasting, ranges, reductions.
final class OperatorTests: XCTestCase {
  func testArithmetic() throws {
    let t = Tape(), x = t.input(.f64, [2]), y = t.input(), v = [3.0, -4], w = 2.0
    var z = x
    z += y
    z *= x
    z -= y
    z /= y
    let r = try evaluate(t, [(x, v), (y, [w])], [x + y, x - y, x * y, x / y, -x, x + 1, 1 - x, 2 * x, 1 / x, x - 1, x * 3, x / 4, 3 + x, z, pow(x, 2), pow(y, x), 5 / y])
    XCTAssertEqual(r[0], v.map { $0 + w })
    XCTAssertEqual(r[1], v.map { $0 - w })
    XCTAssertEqual(r[2], v.map { $0 * w })
    XCTAssertEqual(r[3], v.map { $0 / w })
    XCTAssertEqual(r[4], [-3, 4])
    XCTAssertEqual(r[5], [4, -3])
    XCTAssertEqual(r[6], [-2, 5])
    XCTAssertEqual(r[7], [6, -8])
    XCTAssertEqual(r[8], [1 / 3.0, -0.25])
    XCTAssertEqual(Array(r[9 ... 12]), [[2, -5], [9, -12], [0.75, -1], [6, -1]])
    XCTAssertEqual(r[13], v.map { (($0 + w) * $0 - w) / w })
    XCTAssertEqual(Array(r[14...]), [[9, 16], [8, 0.0625], [2.5]])
  }

  func testWindows() throws {
    let t = Tape(), x = t.array([1, 2, 3, 4, 5, 6], [1, 2, 3]), w = t.array([1, 0, -1, 2], [1, 2, 2]), none: [(Node, [Double])] = []
    let y = t.array([1, 2], [1, 1, 2]), u = t.array([1, 10], [1, 1, 2]), k = t.array([0, 1, 3, 4], [4]), z = t.array([0, 1, 27, 64], [4]), at = t.array([-1, 0.5, 2, 9], [4])
    XCTAssertEqual(try evaluate(t, none, [x.conv(w), x.conv(w, Windows(stride: [2], padding: [1])), x.conv(w, Windows(inputDilation: [2])), y.convTranspose(u, Windows(stride: [2], extra: [1]))]),
                   [[7, 9], [8, 9], [-3, 10, -3, 12], [1, 10, 2, 20, 0]])
    let one = Windows(stride: [1], low: [1], high: [0])
    XCTAssertEqual(try evaluate(t, none, [x.maxPool([2], Windows(stride: [1])), x.maxPoolIndex([2]), x.avgPool([2], one), x.avgPool([2], one, countPadding: false)]),
                   [[2, 3, 5, 6], [1, 1], [0.5, 1.5, 2.5, 2, 4.5, 5.5], [1, 1.5, 2.5, 4, 4.5, 5.5]])
    XCTAssertEqual(try evaluate(t, none, [k.searchsorted(at), k.searchsorted(k, right: true), at.interp(k, z), at.interp(k, z, .nearest)]), [[0, 1, 2, 4], [1, 2, 3, 4], [0, 0.5, 14, 64], [0, 0, 1, 64]])
    for (a, b) in zip(try evaluate(t, none, [at.interp(k, z, .cubic, outside: .extrapolate)])[0], [-1, 0.125, 8, 729]) { XCTAssertEqual(a, b, accuracy: 2e-14 * max(1, abs(b))) }
    let p = t.array([0.5, 0.5, 1, 2], [2, 2]).interpn([t.array([0, 1], [2]), t.array([0, 2], [2])], t.array([0, 4, 2, 6], [2, 2]), outside: .error)
    XCTAssertEqual(try evaluate(t, none, [p]), [[2, 6]])
    _ = x.conv(y)
    XCTAssertTrue(t.error?.description.contains("2 channels") ?? false)
  }

  func testBroadcasting() throws {
    let t = Tape(), a = t.input(.f64, [2, 1]), b = t.input(.f64, [3]), s = a + b
    XCTAssertEqual(s.shape, [2, 3])
    XCTAssertEqual(try evaluate(t, [(a, [10, 20]), (b, [1, 2, 3])], [s]), [[11, 12, 13, 21, 22, 23]])
    let g = try t.grad((s * s).sum(), [a, b])
    XCTAssertEqual(try evaluate(t, [(a, [10, 20]), (b, [1, 2, 3])], g), [[72, 132], [64, 68, 72]])
    let f = t.input(.f32, [2])
    XCTAssertEqual((f + 1).dtype, .f32, "numbers take the node's dtype")
    XCTAssertEqual((1 / f.cast(.bf16)).dtype, .bf16)
    XCTAssertEqual(t.iota([2], axis: 0) .== 1, shape: [2], dtype: .bool)
  }

  func testComparisonsAndSelections() throws {
    let t = Tape(), x = t.input(.f64, [4]), y = t.input(.f64, [4])
    let r = try evaluate(t, [(x, [1, 2, 3, .nan]), (y, [2, 2, 2, 2])], [
      x .< y, x .<= y, x .> y, x .>= y, x .== y, x .!= y, (x .< y) .| (x .> y), (x .<= y) .& (x .>= y), logicalXor(x .< y, x .<= y), logicalNot(x .== y), isnan(x),
      select(x .> 1.5, x, y), clamp(x, t.constant(1.5), t.constant(2.5)), maximum(x, y), fmax(x, y), fmin(x, y), gate(x .> 2, y, y), x .== 3, x .<= 2,
    ])
    XCTAssertEqual(Array(r[0 ... 5]), [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 0], [1, 0, 1, 1]])
    XCTAssertEqual(Array(r[6 ... 10]), [[1, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 1]])
    XCTAssertEqual(r[11], [2, 2, 3, 2])
    XCTAssertEqual(Array(r[12][..<3]), [1.5, 2, 2.5])
    XCTAssertTrue(r[13][3].isNaN)
    XCTAssertEqual(Array(r[14...]), [[2, 2, 3, 2], [1, 2, 2, 2], [0, 0, 4, 0], [0, 0, 1, 0], [1, 1, 0, 0]])
  }

  func testNamedFunctions() throws {
    let t = Tape(), x = t.input(), y = t.input(), a = 0.6, b = 1.3
    let pairs: [(Node, Double)] = [
      (sin(x), sin(a)), (cos(x), cos(a)), (tan(x), tan(a)), (asin(x), asin(a)), (acos(x), acos(a)), (atan(x), atan(a)), (sinh(x), sinh(a)), (cosh(x), cosh(a)), (tanh(x), tanh(a)),
      (asinh(x), asinh(a)), (acosh(y), acosh(b)), (atanh(x), atanh(a)), (exp(x), exp(a)), (exp2(x), exp2(a)), (expm1(x), expm1(a)), (log(x), log(a)), (log2(x), log2(a)),
      (log10(x), log10(a)), (log1p(x), log1p(a)), (sqrt(x), sqrt(a)), (cbrt(x), cbrt(a)), (square(x), a * a), (reciprocal(x), 1 / a), (abs(-x), a), (sign(-x), -1),
      (floor(x), 0), (ceil(x), 1), (round(x), 1), (trunc(y), 1), (sigmoid(x), 1 / (1 + exp(-a))), (softplus(x), log1p(exp(a))), (relu(-x), 0),
      (gelu(x), a * 0.5 * erfc(-a / sqrt(2))), (silu(x), a / (1 + exp(-a))), (erf(x), erf(a)), (erfc(x), erfc(a)), (lgamma(y), lgamma(b)),
      (sechSquared(x), 1 / (cosh(a) * cosh(a))), (atan2(x, y), atan2(a, b)), (hypot(x, y), hypot(a, b)), (minimum(x, y), a), (stopGradient(x), a),
      (logisticDensity(x), exp(-a) / ((1 + exp(-a)) * (1 + exp(-a)))), (polygamma(t.constant(1), t.constant(1)), .pi * .pi / 6), (digamma(t.constant(1)), -0.5772156649015329),
      (rsqrt(x), 1 / sqrt(a)), (logSigmoid(x), -log1p(exp(-a))), (logit(x), log(a / (1 - a))), (log1mexp(-x), log(1 - exp(-a))), (erfcx(x), exp(a * a) * erfc(a)), (erfinv(erf(x)), a),
      (erfcinv(erfc(x)), a), (normalCdf(x), 0.5 * erfc(-a / sqrt(2))), (logNormalCdf(x), log(0.5 * erfc(-a / sqrt(2)))), (normalQuantile(normalCdf(x)), a), (gamma(x), tgamma(a)),
      (i0(x), 1.0920453643173396), (i1(x), 0.3137040256049221), (i0e(x), 1.0920453643173396 * exp(-a)), (i1e(x), 0.3137040256049221 * exp(-a)), (sinc(x), sin(.pi * a) / (.pi * a)),
      (fmod(-y, x), fmod(-b, a)), (mod(-y, x), fmod(-b, a) + a), (floorDivide(-y, x), -3), (logaddexp(x, y), log(exp(a) + exp(b))), (logaddexp2(x, y), log2(exp2(a) + exp2(b))),
      (xlogy(x, y), a * log(b)), (xlog1py(x, y), a * log1p(b)), (beta(x, y), tgamma(a) * tgamma(b) / tgamma(a + b)), (betaln(x, y), log(tgamma(a) * tgamma(b) / tgamma(a + b))),
      (gammainc(t.constant(1), x), 1 - exp(-a)), (gammaincc(t.constant(1), x), exp(-a)), (gammaDensity(t.constant(1), x), exp(-a)), (zeta(t.constant(2), t.constant(1)), .pi * .pi / 6),
      (iv(t.constant(1), x), 0.3137040256049221), (i0eSlope(t.constant(0), x), 1.0920453643173396 * exp(-a)), (sphericalJn(t.constant(0), x), sin(a) / a),
      (ierfcx(t.constant(0), x), exp(a * a) * erfc(a)), (fma(x, y, x), a * b + a), (betainc(t.constant(1), t.constant(2), x), 1 - (1 - a) * (1 - a)),
      (betaDensity(t.constant(1), t.constant(2), x), 2 * (1 - a)), (polygammaDrop(t.constant(0), t.constant(1), t.constant(1)), -1),
    ]
    let r = try evaluate(t, [(x, [a]), (y, [b])], pairs.map(\.0))
    for (k, p) in pairs.enumerated() { assertClose(r[k], [p.1], 2e-15) }
    XCTAssertEqual(Set(Node.operatorNames).count, Node.operatorNames.count)
    XCTAssertEqual(try evaluate(t, [(x, [a])], [Node.apply("sin", [x])])[0], r[0])
  }

  func testShapesAndRanges() throws {
    let t = Tape(), x = t.input(.f64, [3, 4]), v = (0 ..< 12).map(Double.init)
    let nodes: [(Node, [Int], [Double])] = [
      (x[1], [4], [4, 5, 6, 7]), (x[-1], [4], [8, 9, 10, 11]), (x[1 ..< 3, 0 ..< 2], [2, 2], [4, 5, 8, 9]), (x[0 ..< 1], [1, 4], [0, 1, 2, 3]), (x[2][1], [], [9]),
      (x.strided(axis: 1, from: 3, to: -1, by: -2), [3, 2], [3, 1, 7, 5, 11, 9]), (x.strided(axis: 0, from: 0, to: 3, by: 2), [2, 4], [0, 1, 2, 3, 8, 9, 10, 11]),
      (x.transposed()[0], [3], [0, 4, 8]), (x.transposed([1, 0])[3], [3], [3, 7, 11]), (x.reshaped([2, 6])[1], [6], [6, 7, 8, 9, 10, 11]),
      (x.sum([0]), [4], [12, 15, 18, 21]), (x.sum([-1], keep: true), [3, 1], [6, 22, 38]), (x.mean(), [], [5.5]), (x.max([1]), [3], [3, 7, 11]), (x.min(), [], [0]),
      (x.prod([0]), [4], [0, 45, 120, 231]), (x.argmax(1), [3], [3, 3, 3]), (x.argmin(0), [4], [0, 0, 0, 0]), (x.cumsum(1)[0], [4], [0, 1, 3, 6]), (x.cumsum(0, reverse: true)[2], [4], [8, 9, 10, 11]),
      ((x .> 3).any([1]), [3], [0, 1, 1]), ((x .> 3).all([1]), [3], [0, 1, 1]), (x[0].padded(low: [1], high: [0], interior: [1]), [8], [0, 0, 0, 1, 0, 2, 0, 3]),
      (t.concat([x[0], x[1]], axis: 0), [8], [0, 1, 2, 3, 4, 5, 6, 7]), (t.stack([x[0], x[1]], axis: -1), [4, 2], [0, 4, 1, 5, 2, 6, 3, 7]),
      (t.einsum("ij->j", [x]), [4], [12, 15, 18, 21]), (x.gather(t.array([2, 0], [2], .i64), axis: 0)[0], [4], [8, 9, 10, 11]),
      (x[0].scatterAdd(t.array([1, 1], [2], .i64), t.array([10, 20], [2]), axis: 0), [4], [0, 31, 2, 3]), (x[0].broadcast(to: [2, 4])[1], [4], [0, 1, 2, 3]),
      (x.variance([1]), [3], [1.25, 1.25, 1.25]), (x.standardDeviation([0], ddof: 1), [4], [4, 4, 4, 4]), (x[1].cumprod(0), [4], [4, 20, 120, 840]), (x[0].cummax(0, reverse: true), [4], [3, 3, 3, 3]),
      (x[0].cummin(0), [4], [0, 0, 0, 0]), (x[0].cumargmax(0), [4], [0, 1, 2, 3]), (x[0].cumargmin(0), [4], [0, 0, 0, 0]), ((x[0] * 0).cumlogsumexp(0)[0], [], [0]),
      (x[0].linearRecurrence(x[1], axis: 0), [4], [4, 9, 24, 79]), (x[0].sorted(descending: true), [4], [3, 2, 1, 0]), (x[0].argsort(descending: true), [4], [3, 2, 1, 0]), (x[0].topK(2).values, [2], [3, 2]),
      (x[0].topK(1, largest: false).indices, [1], [0]), (x[0].searchsorted(x[0], right: true), [4], [1, 2, 3, 4]), (x[1].isIn(x[0] * 2), [4], [1, 0, 1, 0]), ((x[1] .> 0).cast(.f64).duplicated(), [4], [0, 1, 1, 1]),
      (x.takeAlong(t.array([3, 0, 1], [3, 1], .i64), axis: 1), [3, 1], [3, 4, 9]), (x[0].scatterSet(t.array([1, 1], [2], .i64), t.array([10, 20], [2]), axis: 0), [4], [0, 20, 2, 3]),
      (x[0].scatterMul(t.array([1, 1], [2], .i64), t.array([10, 20], [2]), axis: 0), [4], [0, 200, 2, 3]), (x[0].scatterMax(t.array([1, 3], [2], .i64), t.array([10, 2], [2]), axis: 0), [4], [0, 10, 2, 3]),
      (x[0].scatterMin(t.array([1, 3], [2], .i64), t.array([10, 2], [2]), axis: 0), [4], [0, 1, 2, 2]), (x.dynamicSlice(t.array([9, 1], [2], .i64), [1, 2]), [1, 2], [9, 10]),
      (x[0].dynamicUpdate(t.array([7, 8], [2]), at: t.array([-1], [1], .i64)), [4], [0, 1, 7, 8]), (x[0].segmentSum(t.array([1, 0, 1, 1], [4], .i64), count: 2), [2], [1, 5]),
      (x[1].segmentProd(t.array([1, 0, 1, 1], [4], .i64), count: 2), [2], [5, 168]), (x[0].segmentMax(t.array([1, 0, 1, 1], [4], .i64), count: 2), [2], [1, 3]),
      (x[0].segmentMin(t.array([1, 0, 1, 1], [4], .i64), count: 2), [2], [1, 0]), (t.array([1, 0, 1], [3], .i64).bincount(length: 3), [3], [1, 2, 0]),
      (x.reversed([0])[0], [4], [8, 9, 10, 11]), (x.split([1, 3], axis: 1)[0], [3, 1], [0, 4, 8]), (x[0].tiled([2]), [8], [0, 1, 2, 3, 0, 1, 2, 3]), (x[0].repeated([0, 1, 0, 2], axis: 0), [3], [1, 3, 3]),
      (x.tril(-1)[2], [4], [8, 9, 0, 0]), (x.triu(1)[1], [4], [0, 0, 6, 7]), (x.diagonal(1), [3], [1, 6, 11]), (x[0][1].reshaped([1]).diag(1), [2, 2], [0, 1, 0, 0]),
      (t.associativeScan([x], axis: 1) { _, a, b in [a[0] + b[0]] }[0], [3, 4], [0, 1, 3, 6, 4, 9, 15, 22, 8, 17, 27, 38]),
      (t.iota([2, 3], axis: 1, .f64), [2, 3], [0, 1, 2, 0, 1, 2]), (t.array([1.5, 2.5], [2], .f32), [2], [1.5, 2.5]), (t.integer(7), [], [7]),
    ]
    XCTAssertNil(t.error)
    let r = try evaluate(t, [(x, v)], nodes.map(\.0))
    for (k, n) in nodes.enumerated() {
      XCTAssertEqual(n.0.shape, n.1, "\(k)")
      XCTAssertEqual(r[k], n.2, "\(k)")
    }
  }

  func testErrorsStickAndSurface() {
    let t = Tape(), x = t.input(.f64, [2]), y = t.input(.f64, [3])
    let z = x + y
    XCTAssertFalse(z.isValid)
    XCTAssertEqual(t.error?.description, "add: shapes [2] and [3] do not broadcast")
    XCTAssertEqual(t.error?.status, -2)
    XCTAssertThrowsError(try t.grad(z, [x])) { XCTAssertEqual("\($0)", "add: shapes [2] and [3] do not broadcast") }
    XCTAssertThrowsError(try Program(t, inputs: [x], outputs: [x]))
    t.clearError()
    XCTAssertNil(t.error)
    XCTAssertNoThrow(try t.grad(x.sum(), [x]))
    _ = (x[5], x.sum([1]))
    XCTAssertEqual(t.error?.description, "index 5 of shape [2]", "the first error counts")
  }

  func testEveryErrorAlone() {
    let cases: [(String, (Tape, Node) -> Node)] = [
      ("index 5 of shape [2]", { $1[5] }), ("range 0..<3 of axis 0 of shape [2]", { $1[0 ..< 3] }), ("sum: axis 1 of rank 1", { $1.sum([1]) }),
      ("strided: a step of 0", { $1.strided(axis: 0, from: 0, to: 2, by: 0) }), ("apply: no elementwise operator \"nothing\"", { Node.apply("nothing", [$1]) }),
      ("add: takes 2 operands, not 1", { Node.apply("add", [$1]) }), ("add: an operand is not a node of this tape", { $1 + Tape().input(.f64, [2]) }),
      ("array: 2 values for shape [3]", { t, _ in t.array([1, 2], [3]) }), ("input: a value of shape [-1] cannot exist", { t, _ in t.input(.f64, [-1]) }),
      ("sum: takes a number, not bool; cast first", { ($1 .> 0).sum() }), ("any: takes bool, not f64", { $1.any() }), ("stack: parts of different shapes", { $0.stack([$1, $1[0]], axis: 0) }),
      ("concat: axis 3 of rank 1", { $0.concat([$1, $1], axis: 3) }), ("transpose: [1] is no order of 1 axes", { $1.transposed([1]) }), ("iota: axis 1 of shape [2]", { t, _ in t.iota([2], axis: 1) }),
    ]
    for (message, build) in cases {
      let t = Tape(), n = build(t, t.input(.f64, [2]))
      XCTAssertFalse(n.isValid)
      XCTAssertEqual(t.error?.description, message)
    }
  }
}

private func XCTAssertEqual(_ n: Node, shape: [Int], dtype: DType, file: StaticString = #filePath, line: UInt = #line) {
  XCTAssertEqual(n.shape, shape, file: file, line: line)
  XCTAssertEqual(n.dtype, dtype, file: file, line: line)
}
