import XCTest
@testable import Runtime

final class VectorTests: XCTestCase {
  private func of(_ v: [Double]) -> Double {
    var v = v
    return v.withUnsafeMutableBufferPointer { b in b.baseAddress.map { norm($0, b.count) } ?? 0 }
  }

  /// Squares that overflow or vanish, and NaN among zeros.
  func testNorm() {
    XCTAssertEqual(of([3, 4]), 5)
    XCTAssertEqual(of([3e200, 4e200]), 5e200, accuracy: 1e185)
    XCTAssertEqual(of([3e-200, 4e-200]), 5e-200, accuracy: 1e-215)
    XCTAssertEqual(of([0, 0]), 0)
    XCTAssertEqual(of([.infinity, 1]), .infinity)
    for v in [[Double.nan], [0, .nan], [.nan, 1], [1e200, .nan], [.infinity, .nan]] { XCTAssertTrue(of(v).isNaN, "\(v)") }
  }
}
