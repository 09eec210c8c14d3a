import CKernels
import Glibc
import Runtime
import Tape
import XCTest

typealias Doubles = [Double]

/// SplitMix64: the same numbers everywhere.
struct Random: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
  mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
  mutating func between(_ a: Double, _ b: Double) -> Double { a + (b - a) * (Double(next() >> 11) * 0x1p-53) }
  mutating func values(_ n: Int, _ a: Double = -1, _ b: Double = 1) -> Doubles { (0 ..< n).map { _ in between(a, b) } }
  /// Away from 0, where many derivatives have their kinks.
  mutating func signed(_ n: Int, _ a: Double = 0.1, _ b: Double = 1.2) -> Doubles { (0 ..< n).map { _ in next() & 1 == 0 ? between(a, b) : -between(a, b) } }
}

// MARK: running

/// Memory holding doubles in a dtype.
final class Cells {
  let memory: UnsafeMutableRawPointer, type: TensorType
  init(_ v: Doubles, _ t: TensorType) {
    type = t
    memory = .allocate(byteCount: max(t.bytes, 8), alignment: 64)
    memset(memory, 0xAB, max(t.bytes, 8))
    v.withUnsafeBytes { p in
      if let b = p.baseAddress { ck_cast_kernel(DType.f64.rawValue, t.dtype.rawValue)?(b, nil, nil, memory, t.count) }
    }
  }
  deinit { memory.deallocate() }
  var values: Doubles {
    var r = Doubles(repeating: 0, count: type.count)
    r.withUnsafeMutableBytes { p in
      if let b = p.baseAddress { ck_cast_kernel(type.dtype.rawValue, DType.f64.rawValue)?(memory, nil, nil, b, type.count) }
    }
    return r
  }
}

/// A planned program that runs on doubles, converted to the inputs' dtypes and back.
final class Runner {
  let program: Program
  private let workspace: Workspace
  init(_ t: Tape, _ inputs: [NodeID], _ outputs: [NodeID]) throws {
    if let f = t.failure { throw f }
    program = try Program(t, inputs: inputs, outputs: outputs)
    workspace = try Workspace(program)
  }
  func callAsFunction(_ x: [Doubles]) throws -> [Doubles] {
    let ins = zip(x, program.inputTypes[0]).map { Cells($0, $1) }, outs = program.outputTypes[0].map { Cells(Doubles(repeating: 0, count: $0.count), $0) }
    XCTAssertEqual(x.map(\.count), program.inputTypes[0].map(\.count))
    let code = withExtendedLifetime((ins, outs)) {
      workspace.run(inputs: ins.map { UnsafeRawPointer($0.memory) as UnsafeRawPointer? } + [nil], outputs: outs.map { $0.memory as UnsafeMutableRawPointer? } + [nil])
    }
    guard code == .ok else { throw Failure(code, workspace.message) }
    return outs.map(\.values)
  }
}

func evaluate(_ t: Tape, _ outputs: [NodeID], _ inputs: [(NodeID, Doubles)]) throws -> [Doubles] {
  try Runner(t, inputs.map(\.0), outputs)(inputs.map(\.1))
}

/// A value as a dtype stores it.
func stored(_ v: Doubles, _ d: DType) -> Doubles { Cells(v, TensorType(d, [v.count])).values }

// MARK: closeness

/// Unit roundoff and smallest subnormal.
func unit(_ d: DType) -> Double { d == .f64 ? 0x1p-53 : d == .f32 ? 0x1p-24 : d == .f16 ? 0x1p-11 : 0x1p-8 }
func tiny(_ d: DType) -> Double { d == .f64 ? 0x1p-1074 : d == .f32 ? 0x1p-149 : d == .f16 ? 0x1p-24 : 0x1p-133 }
func gamma(_ n: Int, _ d: DType) -> Double {
  let k = Double(n) * unit(d)
  return k < 0.5 ? k / (1 - k) : 1
}

/// Bit for bit, NaNs all alike.
func sameBits(_ a: Doubles, _ b: Doubles) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN }
}
func sameBits(_ a: [Doubles], _ b: [Doubles]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { sameBits($0, $1) } }

func magnitude(_ a: Doubles) -> Double { a.reduce(0) { max($0, abs($1)) } }

/// The largest difference, as a share of the largest magnitude (at least `floor`).
func distance(_ a: [Doubles], _ b: [Doubles], floor: Double = 1) -> Double {
  guard a.map(\.count) == b.map(\.count) else { return .infinity }
  var worst = 0.0
  for (x, y) in zip(a, b) {
    let scale = max(magnitude(x), magnitude(y), floor)
    for (p, q) in zip(x, y) where p.bitPattern != q.bitPattern {
      let d = abs(p - q) / scale
      if d.isNaN { return .infinity }
      worst = max(worst, d)
    }
  }
  return worst
}

func dot(_ a: [Doubles], _ b: [Doubles]) -> Double {
  // Neumaier's sum, over products that are exact to 2 u.
  var s = 0.0, c = 0.0
  for (x, y) in zip(a, b) {
    for (p, q) in zip(x, y) {
      let v = p * q, t = s + v
      c += (abs(s) >= abs(v) ? (s - t) + v : (v - t) + s) + (-v).addingProduct(p, q)
      s = t
    }
  }
  return s + c
}

// MARK: checking tapes

extension Tape {
  /// Every node built again from its operands has the type it has: the type rules hold over all of the tape.
  func typecheck(file: StaticString = #filePath, line: UInt = #line) {
    if let f = failure { return XCTFail(f.message, file: file, line: line) }
    let before = count
    for i in 0 ..< before {
      let n = NodeID(i), x = inputs(n)
      for p in x { XCTAssertLessThan(p.index, n.index, "operands come first", file: file, line: line) }
      let op = self.op(n)
      var again = n
      if op.isElementwise {
        again = elementwise(op, x[0], x.count > 1 ? x[1] : .none, x.count > 2 ? x[2] : .none)
      } else if let s = op.structural, !x.isEmpty, ![.scan, .cond, .whileLoop, .part, .host, .custom].contains(s) {
        again = apply(s, x, attrs(n))
      }
      XCTAssertEqual(again, n, "\(op.name) at \(i): \(failure?.message ?? "another node")", file: file, line: line)
      if failure != nil { return }
    }
    XCTAssertEqual(count, before, "rebuilding adds no node", file: file, line: line)
    for b in bodies { b.tape.typecheck(file: file, line: line) }
    roundTrip(file: file, line: line)
  }

  /// All that nothing reads, saved and loaded: the same hash, and saved again the same bytes.
  private func roundTrip(file: StaticString, line: UInt) {
    var read = [Bool](repeating: false, count: count), inputs: [NodeID] = []
    for i in 0 ..< count { for x in self.inputs(NodeID(i)) { read[x.i] = true } }
    let outputs = (0 ..< count).map { NodeID($0) }.filter { !read[$0.i] && !isTuple($0) }
    for i in 0 ..< count {
      if structural(NodeID(i)) == .capture { return }
      if structural(NodeID(i)) == .input { inputs.append(NodeID(i)) }
    }
    do {
      let a = Archive()
      try a.add("all", self, inputs: inputs, names: inputs.map { _ in "" }, outputs: outputs, outputs.map { _ in "" })
      let file_ = try a.encoded(), bytes = UnsafeRawBufferPointer(start: file_.base, count: file_.count)
      let b = try Archive(decoding: bytes), f = b.functions[0], again = try b.encoded()
      XCTAssertEqual(f.tape.fingerprint(f.inputs, f.outputs), fingerprint(inputs, outputs), "the hash of what was saved", file: file, line: line)
      XCTAssertTrue(UnsafeRawBufferPointer(start: again.base, count: again.count).elementsEqual(bytes), "saved again: other bytes", file: file, line: line)
    } catch let f as Failure where f.message.contains("a function of the host's own") {
      XCTAssertNotNil(hostsOwn(outputs), file: file, line: line)
    } catch {
      XCTFail("\(error)", file: file, line: line)
    }
  }

  func f64(_ shape: Int...) -> NodeID { input(TensorType(.f64, shape)) }
  func literal(_ v: Doubles, _ shape: [Int]? = nil, _ d: DType = .f64) -> NodeID {
    let s = shape ?? [v.count], n = array(TensorType(.f64, s), v)
    return d == .f64 ? n : cast(n, d)
  }
  func indices(_ v: [Int64], _ shape: [Int]? = nil) -> NodeID { array(TensorType(.i64, shape ?? [v.count]), v) }
  func total(_ x: NodeID) -> NodeID { sum(x, axes: allAxes(x), keep: false) }
}

/// A function of nodes and how to draw operands for it.
struct Case {
  var name: String
  var types: [TensorType]
  /// Operands to differentiate in.
  var active: [Int]
  var elementwise = false
  /// Loss of precision inside (a factor on bounds).
  var slack = 1.0
  /// Its derivative is not the limit of differences, by design.
  var stops = false
  var dtypes: [DType] = [.f64, .f32, .f16, .bf16]
  var sample: (inout Random) -> [Doubles]
  var build: (Tape, [NodeID]) -> [NodeID]
}
