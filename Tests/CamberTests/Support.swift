import Camber
import XCTest

func evaluate(_ tape: Tape, _ inputs: [(Node, [Double])], _ outputs: [Node]) throws -> [[Double]] {
  try Program(tape, inputs: inputs.map(\.0), outputs: outputs)(inputs.map(\.1))
}

func assertClose(_ a: [Double], _ b: [Double], _ limit: Double = 1e-14, file: StaticString = #filePath, line: UInt = #line) {
  XCTAssertEqual(a.count, b.count, file: file, line: line)
  for (x, y) in zip(a, b) where x != y { XCTAssertLessThanOrEqual(abs(x - y), limit * max(1, abs(y)), "\(a), not \(b)", file: file, line: line) }
}
