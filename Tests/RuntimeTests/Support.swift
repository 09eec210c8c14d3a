import CKernels
import Tape
import XCTest
@testable import Runtime

/// The bytes of an array.
typealias Bytes = [UInt8]

func bytes<T>(_ a: [T]) -> Bytes { a.withUnsafeBytes { Array($0) } }
func values<T>(_ b: Bytes, _: T.Type) -> [T] { b.withUnsafeBytes { Array($0.bindMemory(to: T.self)) } }

/// One workspace with buffers of its own for inputs and outputs.
final class Runner {
  let program: Program
  let workspace: Workspace
  init(_ p: Program) throws { program = p; workspace = try Workspace(p) }
  convenience init(_ t: Tape, _ inputs: [NodeID], _ outputs: [NodeID]) throws { try self.init(Program(t, inputs: inputs, outputs: outputs)) }

  func run(_ inputs: [Bytes], stage: Int = 0, expect: Code = .ok, file: StaticString = #filePath, line: UInt = #line) -> [Bytes] {
    let inTypes = program.inputTypes[stage], outTypes = program.outputTypes[stage]
    XCTAssertEqual(inputs.map(\.count), inTypes.map(\.bytes), file: file, line: line)
    let ins = inTypes.map { UnsafeMutableRawPointer.allocate(byteCount: max($0.bytes, 1), alignment: 64) }
    let outs = outTypes.map { UnsafeMutableRawPointer.allocate(byteCount: max($0.bytes, 1), alignment: 64) }
    defer { (ins + outs).forEach { $0.deallocate() } }
    for (p, b) in zip(ins, inputs) { b.withUnsafeBytes { if let a = $0.baseAddress { p.copyMemory(from: a, byteCount: b.count) } } }
    for (p, t) in zip(outs, outTypes) { memset(p, 0xAB, max(t.bytes, 1)) }
    let code = workspace.run(stage: stage, inputs: ins.map { UnsafeRawPointer($0) as UnsafeRawPointer? } + [nil], outputs: outs.map { $0 as UnsafeMutableRawPointer? } + [nil])
    XCTAssertEqual(code, expect, workspace.message, file: file, line: line)
    for (p, b) in zip(ins, inputs) { XCTAssertEqual(Bytes(UnsafeRawBufferPointer(start: p, count: b.count)), b, "an input changed", file: file, line: line) }
    return zip(outs, outTypes).map { Bytes(UnsafeRawBufferPointer(start: $0, count: $1.bytes)) }
  }
}

struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
  mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }

  mutating func array(_ t: TensorType) -> Bytes {
    switch t.dtype {
    case .f64: return bytes((0 ..< t.count).map { _ in Double.random(in: -2 ... 2, using: &self) })
    case .f32: return bytes((0 ..< t.count).map { _ in Float.random(in: -2 ... 2, using: &self) })
    case .f16, .bf16:
      let f = (0 ..< t.count).map { _ in Float.random(in: -2 ... 2, using: &self) }
      var h = [UInt16](repeating: 0, count: t.count)
      ck_cast_kernel(1, t.dtype.rawValue)?(f, nil, nil, &h, t.count)
      return bytes(h)
    case .i64: return bytes((0 ..< t.count).map { _ in Int64.random(in: -9 ... 9, using: &self) })
    case .i32: return bytes((0 ..< t.count).map { _ in Int32.random(in: -9 ... 9, using: &self) })
    case .bool: return (0 ..< t.count).map { _ in UInt8.random(in: 0 ... 1, using: &self) }
    }
  }
}

/// Every node by a program of its own, which has that one operator only.
func oneByOne(_ t: Tape, _ inputs: [NodeID: Bytes], _ outputs: [NodeID]) throws -> [Bytes] {
  guard let order = t.order(outputs) else { throw t.failure ?? Failure(.invalid, "order") }
  var known = inputs
  for k in 0 ..< order.count where known[order[k]] == nil {
    let n = order[k], x = Array(Set(t.inputs(n))).sorted { $0.index < $1.index }
    known[n] = try Runner(t, x, [n]).run(x.map { known[$0] ?? [] })[0]
  }
  return outputs.map { known[$0] ?? [] }
}

extension XCTestCase {
  /// Fused and one by one, on each back end, to the bit.
  @discardableResult
  func check(_ t: Tape, _ inputs: [NodeID: Bytes], _ outputs: [NodeID], file: StaticString = #filePath, line: UInt = #line) throws -> Program {
    if let f = t.failure { throw f }
    let names = Array(inputs.keys).sorted { $0.index < $1.index }
    let r = try Runner(t, names, outputs), x = names.map { inputs[$0] ?? [] }
    let want = try oneByOne(t, inputs, outputs)
    let forced = try [1, 2].map { backend in
      let p = try Program(t, inputs: names, outputs: outputs)
      XCTAssertNil(p.set("backend", backend), file: file, line: line)
      return try Runner(p)
    }
    for (pass, r) in ([r, r] + forced).enumerated() {
      let got = r.run(x, file: file, line: line)
      for (i, (a, b)) in zip(got, want).enumerated() where a != b {
        XCTFail("output \(i) of \(t.type(outputs[i]).description) differs in run \(pass)\n\(r.program.explanation)", file: file, line: line)
      }
    }
    return r.program
  }
}
