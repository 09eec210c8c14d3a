import CKernels
import Glibc
import Tape
import Dispatch
import XCTest
@testable import Runtime

/// The same bits at any count of threads, from kinds of steps large enough to be shared.
final class ThreadTests: XCTestCase {
  /// Runs with 1, 2, 3 and 7 threads; `shared` steps at least run on more than one with 7.
  private func same(_ t: Tape, _ inputs: [NodeID], _ outputs: [NodeID], shared: Int = 1, seed: UInt64 = 1, limit: Int = 0, file: StaticString = #filePath, line: UInt = #line) throws {
    if let f = t.failure { throw f }
    var g = Random(state: seed)
    // With a limit, integers are indices below it.
    let x = inputs.map { limit > 0 && t.dtype($0).isInteger ? indices(t.type($0), limit, &g) : quick(t.type($0), &g) }
    var want: [Bytes] = []
    for threads in [1, 2, 3, 7] {
      let p = try Program(t, inputs: inputs, outputs: outputs)
      XCTAssertNil(p.set("threads", Double(threads)), file: file, line: line)
      let r = try Runner(p)
      for pass in 0 ..< 2 {
        let got = r.run(x, file: file, line: line)
        if want.isEmpty { want = got }
        for i in want.indices where got[i] != want[i] {
          XCTFail("output \(i) of \(t.type(outputs[i]).description) differs with \(threads) threads in run \(pass)\n\(p.explanation)", file: file, line: line)
        }
      }
      let wide = try sharedSteps(p.plan())
      if threads == 1 { XCTAssertEqual(wide, 0, file: file, line: line) } else { XCTAssertGreaterThanOrEqual(wide, shared, "\(threads) threads\n\(p.explanation)", file: file, line: line) }
    }
  }
  private func indices(_ t: TensorType, _ limit: Int, _ g: inout Random) -> Bytes {
    let v = (0 ..< t.count).map { _ in Int(g.next() % UInt64(2 * limit)) - limit }
    return t.dtype == .i64 ? bytes(v.map(Int64.init)) : bytes(v.map(Int32.init))
  }
  /// 997 numbers and a few, repeated: millions of random ones take seconds in a debug build.
  private func quick(_ t: TensorType, _ g: inout Random) -> Bytes {
    if t.count < 2000 { return g.array(t) }
    let piece = g.array(TensorType(t.dtype, [997]))
    var b = Bytes()
    b.reserveCapacity(t.bytes + piece.count)
    while b.count < t.bytes { b += piece }
    return Bytes(b[..<t.bytes])
  }
  private func sharedSteps(_ p: Plan) -> Int {
    (0 ..< p.steps.count).filter { p.steps[$0].lanes > 1 }.count + p.bodies.joined().map(sharedSteps).reduce(0, +)
  }
  private func input(_ t: Tape, _ d: DType, _ shape: Int...) -> NodeID { t.input(TensorType(d, shape)) }

  func testClusters() throws {
    for (d, n) in [(DType.f64, 100_003), (.f32, 300_001), (.f16, 200_000), (.bf16, 77_777)] {
      let t = Tape(), x = input(t, d, n), s = input(t, d), c = input(t, d, 7), m = input(t, d, 40)
      let wide = t.unary(.tanh, t.add(t.mul(x, t.broadcast(s, to: [n])), t.unary(.exp, x)))
      try same(t, [x, s, c, m], [wide, t.sum(wide, axes: [-1], keep: false), t.cast(wide, .i32), t.binary(.lt, x, wide)])
      // From memory to memory, without registers.
      let plain = input(t, d, 200_000)
      if !d.isHalf { try same(t, [plain], [t.unary(.exp, plain)]) }
      // Rows and columns that repeat.
      let r = input(t, d, 5000, 40), q = t.add(t.unary(.sin, r), t.broadcast(m, to: [5000, 40])), k = input(t, d, 5000, 1)
      try same(t, [r, m, k], [t.mul(q, t.broadcast(k, to: [5000, 40])), t.unary(.exp, q)])
    }
  }

  func testClusterInPlace() throws {
    // The cluster writes over what it reads: in the arena, and over an input.
    let t = Tape(), x = input(t, .f64, 300, 300), y = t.unary(.exp, t.unary(.sin, t.matmul(x, x)))
    try same(t, [x], [t.matmul(y, x)], shared: 3)
    let n = 200_000, u = Tape(), p = input(u, .f64, n), d = input(u, .f64, n), step = u.sub(p, u.unary(.tanh, u.mul(p, d)))
    var g = Random(state: 3)
    let v = [g.array(u.type(p)), g.array(u.type(d))], want = try Runner(u, [p, d], [step]).run(v)[0]
    for threads in [1.0, 2, 7] {
      let program = try Program(u, inputs: [p, d], outputs: [step])
      XCTAssertNil(program.set("threads", threads))
      XCTAssertNil(program.alias(output: 0, input: 0))
      let w = try Workspace(program)
      var a = v[0]
      v[1].withUnsafeBytes { b in a.withUnsafeMutableBytes { a in
        XCTAssertEqual(w.run(inputs: [UnsafeRawPointer(a.baseAddress), b.baseAddress], outputs: [a.baseAddress]), .ok)
      } }
      XCTAssertEqual(a, want)
    }
  }

  func testProducts() throws {
    for (d, m, n, k) in [(DType.f64, 200, 130, 97), (.f32, 513, 64, 128), (.f64, 1000, 3, 700), (.f64, 3, 1000, 700), (.f32, 1, 4097, 300), (.f32, 4099, 1, 300),
                         (.i64, 150, 140, 70), (.i32, 70, 300, 60), (.f16, 260, 200, 90), (.bf16, 129, 256, 100), (.f64, 1, 2000, 8), (.f64, 5000, 2, 8), (.f64, 65, 4, 3000), (.f64, 4, 129, 3000)] {
      for flags in 0 ..< 4 {
        let t = Tape(), ta = flags & 1 != 0, tb = flags & 2 != 0
        let a = ta ? input(t, d, k, m) : input(t, d, m, k), b = tb ? input(t, d, n, k) : input(t, d, k, n)
        try same(t, [a, b], [t.matmul(a, b, ta, tb)], shared: m * n * k > 1_000_000 ? 1 : 0, seed: UInt64(flags + 1))
      }
    }
  }

  func testBatchedProducts() throws {
    for d in [DType.f64, .f32, .bf16, .i64] {
      for (batch, m, n, k) in [(200, 8, 9, 10), (3, 130, 70, 100), (40, 33, 1, 120), (2, 1, 3000, 200)] {
        let t = Tape(), a = input(t, d, batch, m, k), b = input(t, d, batch, k, n), shared = input(t, d, k, n), left = input(t, d, m, k)
        let y = t.matmul(a, b)
        try same(t, [a, b, shared, left], [y, t.matmul(a, shared), t.matmul(left, b), t.matmul(b, a, true, true), t.matmul(left, b)], shared: 0, seed: UInt64(batch))
      }
    }
  }

  func testMaskedProducts() throws {
    for d in [DType.f64, .f32, .f16] {
      for (batch, m, n, k) in [(1, 200, 150, 64), (1, 300, 3, 500), (30, 40, 40, 40)] {
        let t = Tape(), lead = batch > 1 ? [batch] : []
        let a = t.input(TensorType(d, lead + [m, k])), b = t.input(TensorType(d, lead + [k, n])), ma = t.input(TensorType(.bool, lead + [m, k])), mb = t.input(TensorType(.bool, lead + [k, n]))
        // Numbers past the range make infinities and NaNs that are mended.
        let far = t.scale(a, d == .f16 ? 3e4 : d == .f32 ? 3e38 : 1e308), x = t.select(ma, far, t.zeros(far)), y = t.select(mb, b, t.zeros(b))
        try same(t, [a, b, ma, mb], [t.matmul(x, y, false, false, maskA: ma, maskB: mb), t.matmul(x, y, false, false, maskA: ma)], shared: 0)
      }
    }
  }

  func testReductions() throws {
    for d in [DType.f64, .f32, .bf16, .i64, .bool] {
      for shape in [[200, 300], [9000, 7], [2, 60_000], [3, 50, 700]] {
        let t = Tape(), x = t.input(TensorType(d, shape)), last = [-1], first = [-shape.count], all = shape.indices.map { $0 - shape.count }
        var out: [NodeID] = []
        for axes in [last, first, all] {
          for s in [Structural.sum, .prod, .max, .min] { out.append(t.reduce(s, x, axes: axes, keep: false)) }
          if d.isFloat { for s in [Structural.logsumexp, .norm] { out.append(t.reduce(s, x, axes: axes, keep: false)) } }
        }
        for a in [-1, -2] {
          out.append(t.apply(.argmax, [x], [a]))
          out.append(t.apply(.argmin, [x], [a]))
          if d.isFloat { out.append(t.apply(.softmax, [x], [a])) }
          out.append(t.apply(.cumsum, [x], [a, 0]))
          out.append(t.apply(.cumsum, [x], [a, 1]))
        }
        try same(t, [x], out, shared: 0)
      }
    }
  }

  func testLongLines() throws {
    // Around the groups' bounds: a whole number of them, one row or one element more, one less, an odd count.
    for (d, group) in [(DType.f64, 65_536), (.f32, 131_072), (.f16, 131_072), (.i64, 65_536)] {
      for n in [2 * group, 3 * group - 1, 5 * group + 33, 7 * group + 1, 6 * group + 1] {
        let t = Tape(), x = input(t, d, n)
        try same(t, [x], [Structural.sum, .prod, .max, .min].map { t.reduce($0, x, axes: [-1], keep: false) }, shared: 4, seed: UInt64(n))
      }
    }
  }

  func testGather() throws {
    for d in [DType.f64, .f32, .bf16, .bool] {
      let t = Tape(), x = input(t, d, 1000, 64), many = input(t, d, 50, 30, 16), i = t.input(TensorType(.i64, [900])), j = t.input(TensorType(.i32, [50, 700]))
      try same(t, [x, many, i, j], [t.gather(x, i, axis: -2), t.gather(many, i, axis: -2), t.apply(.gather, [many, j], [-2, 1])], shared: 1)
    }
    let t = Tape(), x = input(t, .f64, 100, 64), i = t.input(TensorType(.i64, [20_000])), y = t.gather(x, i, axis: -2)
    for threads in [1.0, 7] {
      let p = try Program(t, inputs: [x, i], outputs: [y])
      XCTAssertNil(p.set("threads", threads))
      let r = try Runner(p)
      var index = [Int64](repeating: 3, count: 20_000)
      index[15_001] = 100
      index[17_000] = -101
      _ = r.run([Bytes(repeating: 0, count: 51_200), bytes(index)], expect: .invalid)
      XCTAssertEqual(r.workspace.message, "gather: index at position 15001 lies outside the 100 along axis 0 of shape [100, 64]")
      _ = r.run([Bytes(repeating: 0, count: 51_200), bytes([Int64](repeating: -100, count: 20_000))])
    }
  }

  func testScatter() throws {
    // By tables, batches, columns, and ranges of rows; indices repeat, so that the order of additions shows.
    for d in [DType.f64, .f32, .bf16, .i32, .bool] {
      for (i, lead, n, m, inner) in [(DType.i64, [], 70_000, 60_000, [2]), (.i32, [], 90, 20_000, [5]), (.i64, [], 50, 900, [130]), (.i32, [40], 30, 700, [3]), (.i64, [], 200_000, 30_000, [])] as [(DType, [Int], Int, Int, [Int])] {
        let t = Tape(), index = t.input(TensorType(i, [m])), u = t.input(TensorType(d, lead + [m] + inner)), y = t.apply(.scatterAdd, [index, u], [-1 - inner.count, 0, n])
        try same(t, [index, u], [y], shared: d == .f64 ? 1 : 0, limit: n)
      }
      let t = Tape(), index = t.input(TensorType(.i32, [30, 1500])), u = input(t, d, 30, 1500, 6)
      try same(t, [index, u], [t.apply(.scatterAdd, [index, u], [-2, 1, 50])], shared: 1, limit: 50)
    }
    let t = Tape(), i = t.input(TensorType(.i64, [20_000])), u = input(t, .f64, 20_000, 64), y = t.apply(.scatterAdd, [i, u], [-2, 0, 100])
    let p = try Program(t, inputs: [i, u], outputs: [y])
    XCTAssertNil(p.set("threads", 7))
    let r = try Runner(p)
    var index = [Int64](repeating: -100, count: 20_000)
    index[15_001] = 100
    _ = r.run([bytes(index), Bytes(repeating: 0, count: 20_000 * 512)], expect: .invalid)
    XCTAssertEqual(r.workspace.message, "scatter_add: index at position 15001 lies outside the 100 along axis 0 of shape [100, 64]")
  }

  func testCopies() throws {
    for d in [DType.f64, .f32, .f16, .bool] {
      for shape in [[700, 300], [17, 3003], [40_000, 3], [40, 50, 30]] {
        let t = Tape(), x = t.input(TensorType(d, shape)), last = shape[shape.count - 1], order = Array(shape.indices.reversed())
        var out = [t.transpose(x, order), t.reverse(x, axes: [-1]), t.slice(x, axis: -1, start: 1, count: (last - 1) / 2, step: 2), t.broadcast(t.reshape(x, [1] + shape), to: [2] + shape)]
        if shape.count == 3 { out += [t.transpose(x, [0, 2, 1]), t.transpose(x, [1, 0, 2]), t.reverse(x, axes: [-3])] }
        try same(t, [x], out, shared: 0)
      }
    }
    let t = Tape(), x = input(t, .f64, 1000, 700)
    try same(t, [x], [t.transpose(x, [1, 0])], shared: 1)
  }

  func testRandom() throws {
    for d in [DType.f64, .f32, .f16, .bf16] {
      let t = Tape(), key = t.input(TensorType(.i64, [])), keys = t.input(TensorType(.i64, [5]))
      try same(t, [key, keys], [t.randomUniform(key, d, [100_003]), t.randomUniform(keys, d, [30, 1001])], shared: 2)
    }
  }

  func testLoops() throws {
    // A loop's body shares its steps too.
    let t = Tape(), w = input(t, .f32, 256, 256), h = input(t, .f32, 128, 256), xs = input(t, .f32, 5, 128, 256)
    let body = Tape(parent: t), c = body.input(t.type(h)), x = body.input(t.type(h)), k = body.resolve(serial: t.serial, index: w.index)
    let next = body.unary(.tanh, body.add(body.matmul(c, k), x))
    let s = t.parts(t.scan(body: body, inputs: [c, x], outputs: [next, next], init: [h], xs: [xs], ys: 1, length: 5, reverse: false))
    let loss = t.sum(s[0], axes: [-1, -2], keep: false)
    try same(t, [w, h, xs], s + t.grad(loss, [w, h]), shared: 2)
  }

  // MARK: options, memory, hosts

  func testOption() throws {
    let t = Tape(), x = input(t, .f64, 100_000), y = t.unary(.exp, x)
    let p = try Program(t, inputs: [x], outputs: [t.mul(t.unary(.sin, y), y)])
    XCTAssertEqual(p.set("threads", -1)?.message, "program: threads is a whole number, 0 for all processors, not -1.0")
    XCTAssertNotNil(p.set("threads", 1.5))
    XCTAssertNil(p.set("threads", 1))
    let one = p.memory
    XCTAssertNil(p.set("threads", 1e6))
    let lanes = Int(try p.plan().steps[0].lanes)
    XCTAssertTrue((10 ... 64).contains(lanes), "\(lanes)")
    XCTAssertGreaterThan(p.memory, one * lanes / 2)
    XCTAssertNil(p.set("threads", 0))
    XCTAssertEqual(try p.plan().steps[0].lanes > 1, ck_processors() > 1)
    // Small steps stay on one thread whatever the option says.
    let small = try Program(t, inputs: [t.input(TensorType(.f64, [100]))], outputs: [])
    XCTAssertNil(small.set("threads", 64))
    XCTAssertEqual(sharedSteps(try small.plan()), 0)
  }

  func testRunsAllocateNothingOfTheirOwn() throws {
    let t = Tape(), x = input(t, .f64, 300, 300), y = t.unary(.tanh, t.matmul(x, x))
    let p = try Program(t, inputs: [x], outputs: [t.apply(.softmax, [y], [-1]), t.sum(y, axes: [-1, -2], keep: false)])
    XCTAssertNil(p.set("threads", 4))
    let r = try Runner(p)
    var g = Random(state: 4)
    let v = [g.array(t.type(x))], first = r.run(v), count = ck_alloc_count()
    XCTAssertEqual(r.run(v), first)
    XCTAssertEqual(ck_alloc_count(), count)
  }

  /// Hosts' threads that run programs of several threads each.
  func testNestedInHostThreads() throws {
    let t = Tape(), x = input(t, .f64, 150, 150), y = t.unary(.tanh, t.matmul(x, x)), z = t.apply(.softmax, [t.matmul(y, y)], [-1])
    let p = try Program(t, inputs: [x], outputs: [z, t.sum(y, axes: [-1], keep: false)])
    XCTAssertNil(p.set("threads", 3))
    var g = Random(state: 5)
    let v = [g.array(t.type(x))], want = try Runner(p).run(v), runners = try (0 ..< 4).map { _ in try Runner(p) }
    let same = UnsafeMutablePointer<Bool>.allocate(capacity: 4)
    defer { same.deallocate() }
    DispatchQueue.concurrentPerform(iterations: 4) { i in same[i] = (0 ..< 10).allSatisfy { _ in runners[i].run(v) == want } }
    for i in 0 ..< 4 { XCTAssertTrue(same[i]) }
  }

  /// A task that splits again runs what it splits by itself; every task runs once.
  func testPool() {
    final class Counts { var outer = [Int32](repeating: 0, count: 64), inner = [Int32](repeating: 0, count: 192) }
    let counts = Counts()
    for threads in [1, 2, 5] {
      for count in [0, 1, 7, 64] {
        counts.outer = [Int32](repeating: 0, count: 64)
        counts.inner = [Int32](repeating: 0, count: 192)   // a place a task: outer calls that run serially leave the pool to the inner ones
        counts.outer.withUnsafeMutableBufferPointer { outer in
          ck_parallel(count, threads, { p, i in p?.assumingMemoryBound(to: Int32.self)[i] += 1 }, outer.baseAddress)
        }
        XCTAssertEqual(counts.outer.reduce(0, +), Int32(count))
        counts.inner.withUnsafeMutableBufferPointer { inner in
          ck_parallel(count, threads, { p, i in
            guard let mine = p?.assumingMemoryBound(to: Int32.self) else { return }
            ck_parallel(3, 4, { q, k in q?.assumingMemoryBound(to: Int32.self)[k] += 1 }, mine + 3 * i)
          }, inner.baseAddress)
        }
        XCTAssertEqual(counts.inner.prefix(3 * count).map { $0 }, [Int32](repeating: 1, count: 3 * count))
      }
    }
  }

  /// Workers compute in the default environment whatever theirs is.
  func testEnvironment() throws {
    let n = 1 << 18, t = Tape(), x = input(t, .f64, n), p = try Program(t, inputs: [x], outputs: [t.unary(.tanh, t.scale(x, 0.5)), t.scale(x, 0.5)])
    XCTAssertNil(p.set("threads", 2))
    let w = try Runner(p).run([bytes([Double](repeating: 5e-324 * 8, count: n))])
    XCTAssertEqual(w[1], bytes([Double](repeating: 5e-324 * 4, count: n)))
  }
}
