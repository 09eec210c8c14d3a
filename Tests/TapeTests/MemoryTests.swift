import CKernels
import Glibc
import Tape
import XCTest
@testable import Runtime

/// The arena that a program says it needs is what its runs touch, of every row: no more is asked for, and nothing beyond it is written.
final class MemoryTests: XCTestCase {
  /// The last byte of the arena that runs write, the loops' and the scalar programs' constants aside; and the bytes behind it that are kept clear.
  private func touched(_ p: Program, _ inputs: [Doubles], _ name: String) throws -> Int {
    let w = try Workspace(p), arena = UnsafeMutableRawPointer(w.slots), n = p.memory, constants = p.structure.scalars.constants.count * 8
    let ins = zip(inputs, p.inputTypes[0]).map { Cells($0, $1) }, outs = p.outputTypes[0].map { Cells(Doubles(repeating: 0, count: $0.count), $0) }
    var last = constants
    for sentinel in [UInt8(0xA5), 0x5A] {
      memset(arena + constants, Int32(sentinel), n - constants)
      let code = withExtendedLifetime((ins, outs)) {
        w.run(inputs: ins.map { UnsafeRawPointer($0.memory) as UnsafeRawPointer? } + [nil], outputs: outs.map { $0.memory as UnsafeMutableRawPointer? } + [nil])
      }
      XCTAssertEqual(code, .ok, "\(name): \(w.message)")
      let bytes = arena.assumingMemoryBound(to: UInt8.self)
      for i in stride(from: n - 1, through: last, by: -1) where bytes[i] != sentinel {
        last = i + 1
        break
      }
    }
    return last
  }

  private static let scratch = ["avg_pool", "cholesky", "cofactor", "cond", "conv", "det", "eigh", "eigvalsh", "expm", "lu", "pinv", "qr", "scan", "slogdet", "solve", "sqrtm", "svd",
                                "triangular_solve", "while"]

  func testEveryRow() throws {
    var programs = 0, said = 0, used = 0
    for s in Structural.allCases {
      for c in cases(s) {
        for d in c.dtypes {
          let t = Tape(), x = c.types.map { t.input($0.dtype == .f64 ? $0.with(d) : $0) }, y = c.build(t, x), float = y.filter { t.contains($0) && t.dtype($0).isFloat }
          guard t.failure == nil, !float.isEmpty else { continue }
          let g = t.vjp(float, float.map { t.full(t.type($0), 1) }, c.active.map { x[$0] })
          guard t.failure == nil else { continue }
          var rng = Random(7)
          let v = zip(c.sample(&rng), c.types).map { $1.dtype == .f64 ? stored($0, d) : $0 }
          for outputs in [y, y + g] {
            let p = try Program(t, inputs: x, outputs: outputs)
            XCTAssertNil(p.set("threads", 1))
            let n = p.memory, last = try touched(p, v, "\(c.name) \(d.name)")
            programs += 1
            said += n
            used += last
            // Buffers begin at multiples of 64 bytes. What may end in scratch that one input does not fill: factorisations (LAPACK's own
            // wishes), convolutions (packed windows), loops and branches (a body's whole arena, its lanes, the branch not taken).
            if !MemoryTests.scratch.contains(where: c.name.hasPrefix) { XCTAssertLessThanOrEqual(n, last + 3 * 64, "\(c.name) \(d.name)") }
          }
        }
      }
    }
    XCTAssertGreaterThan(programs, 1500)
    XCTAssertLessThan(Double(said), 1.1 * Double(used))
  }
}
