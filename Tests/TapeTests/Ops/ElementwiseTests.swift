import CKernels
import Tape
import XCTest

/// The table of elementwise rows, row after row.
final class ElementwiseTests: XCTestCase {
  static let count = 5

  /// The dtypes a row takes, that of its first float or number operand.
  static func dtypes(_ op: OpCode) -> [DType] {
    switch ck_row_class(Int32(op.raw)) {
    case .FLOAT, .TEST, .GATE: [.f64, .f32, .f16, .bf16]
    case .NUMBER, .COMPARE: [.f64, .f32, .f16, .bf16, .i64, .i32]
    case .INTEGER: [.i64]
    case .LOGIC: [.bool]
    case .SELECT: DType.allCases
    }
  }

  /// Operand types, f64 standing for the dtype under test.
  static func types(_ op: OpCode) -> [TensorType] {
    let c = ck_row_class(Int32(op.raw))
    return (0 ..< Int(ck_row_arity(Int32(op.raw)))).map { slot in
      TensorType(c == .LOGIC || slot == 0 && (c == .SELECT || c == .GATE) ? .bool : c == .INTEGER ? .i64 : .f64, [count])
    }
  }

  static func sample(_ op: OpCode, _ g: inout Random) -> [Doubles] {
    let poles: [String] = ["lgamma", "digamma", "polygamma", "gamma", "polygamma_drop", "beta", "betaln", "gammainc", "gammaincc", "gamma_density", "zeta", "betainc", "beta_density"]
    return types(op).indices.map { slot in
      if types(op)[slot].dtype == .bool { return (0 ..< count).map { _ in Double(g.below(2)) } }
      if orders.contains(op.name), slot == 0 { return (0 ..< count).map { _ in Double(g.below(3)) } }
      if op.name == "zeta", slot == 0 { return g.values(count, 1.5, 3) }
      // Between the steps.
      if op.name == "fmod" || op.name == "mod" { return slot == 0 ? g.values(count, 2.6, 2.9) : g.values(count, 1.1, 1.2) }
      if op.name == "floor_divide" { return slot == 0 ? g.values(count, 2.6, 2.9) : g.values(count, 1.1, 1.2) }
      if op.name == "betainc" || op.name == "beta_density", slot == 2 { return g.values(count, 0.2, 0.8) }
      if op.name == "clamp", slot > 0 { return g.values(count, slot == 1 ? -0.8 : 0.4, slot == 1 ? -0.4 : 0.8) }
      let area = domain(op, slot: slot)
      if poles.contains(op.name) { return g.values(count, 0.4, 3) }
      if area.low.isInfinite, area.high.isInfinite { return g.signed(count) }
      let low = area.low.isFinite ? area.low : area.high - 2, high = area.high.isFinite ? area.high : area.low + 2
      return g.values(count, low + 0.1 * (high - low), high - 0.1 * (high - low))
    }
  }

  /// Rows whose first operand is a whole order, and the slots in which rows have no derivative.
  static let orders: Set<String> = ["polygamma", "polygamma_drop", "iv", "i0e_slope", "spherical_jn", "ierfcx"]
  static func isFixed(_ op: OpCode, _ slot: Int) -> Bool {
    slot == 0 && (orders.contains(op.name) || ["gammainc", "gammaincc", "zeta", "betainc"].contains(op.name)) || slot == 1 && op.name == "betainc"
  }

  static func rowCase(_ op: OpCode) -> Case {
    let active = types(op).indices.filter { types(op)[$0].dtype == .f64 && !isFixed(op, $0) }
    return Case(name: op.name, types: types(op), active: active, elementwise: true, slack: 2, stops: op == OpCode(Unary.stop_gradient), sample: { sample(op, &$0) }) { t, x in
      [t.elementwise(op, x[0], x.count > 1 ? x[1] : .none, x.count > 2 ? x[2] : .none)]
    }
  }

  func testEveryRowInEveryDType() throws {
    var checks = 0, pairs = 0
    for row in 0 ..< Int(CK_ROW_COUNT) {
      let op = OpCode(raw: UInt16(row))
      for d in Self.dtypes(op) where d.isFloat {
        checks += try DerivativeCheck(Self.rowCase(op), d, seed: UInt64(row * 8) + UInt64(d.rawValue)).all()
        pairs += 1
      }
    }
    print("elementwise rows: \(Int(CK_ROW_COUNT)), row and dtype pairs: \(pairs), checks: \(checks)")
    XCTAssertGreaterThanOrEqual(pairs, 4 * 60)
  }

  /// Rows take the dtypes of their class and no others; the result's type is the class's.
  func testClasses() {
    for row in 0 ..< Int(CK_ROW_COUNT) {
      let op = OpCode(raw: UInt16(row)), c = ck_row_class(Int32(row)), arity = Int(ck_row_arity(Int32(row)))
      for d in DType.allCases {
        let t = Tape()
        let x = (0 ..< arity).map { slot in t.input(TensorType(slot == 0 && (c == .SELECT || c == .GATE) ? .bool : d, [2, 3])) }
        let y = t.elementwise(op, x[0], arity > 1 ? x[1] : .none, arity > 2 ? x[2] : .none)
        guard Self.dtypes(op).contains(d) else {
          XCTAssertTrue(y.isNone, "\(op.name) took \(d.name)")
          XCTAssertEqual(t.failure?.code, .dtype)
          XCTAssertTrue(t.failure?.message.hasPrefix("\(op.name): takes ") == true, t.failure?.message ?? "")
          continue
        }
        XCTAssertEqual(t.type(y), TensorType(c == .TEST || c == .COMPARE || c == .LOGIC ? .bool : d, [2, 3]), op.name)
      }
    }
  }

  /// Rows that have no derivative give zeros, not errors, in every mode.
  func testZeroDerivatives() throws {
    for b in [Binary.floor_divide] {
      let t = Tape(), x = t.f64(3), y = t.binary(b, x, t.like(x, 2))
      XCTAssertTrue(t.isUniform(t.grad(t.total(y), [x])[0], 0))
    }
    for u in [Unary.sign, .floor, .ceil, .round, .trunc, .stop_gradient] {
      let t = Tape(), x = t.f64(3), y = t.unary(u, t.unary(.sin, x))
      let g = t.vjp([y], [t.like(y, 1)], [x]) + t.jvp([y], [x], [t.like(x, 1)])
      XCTAssertTrue(g.allSatisfy { t.isUniform($0, 0) }, "\(OpCode(u).name)")
    }
    for b in [Binary.eq, .ne, .lt, .le, .gt, .ge] {
      let t = Tape(), x = t.f64(3), y = t.cast(t.binary(b, x, t.zeros(x)), .f64)
      XCTAssertTrue(t.isUniform(t.grad(t.total(y), [x])[0], 0))
    }
  }
}
