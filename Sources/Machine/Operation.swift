import CKernels

/// What a value is while it sits in a register. A mask is a bool: 64 ones or 64 zeros; its home holds the byte 1 or 0.
enum Kind: UInt8 { case f64, f32, mask, i64, i32 }

/// What back ends do themselves; every other code is a call of its kernel.
enum Op: UInt8 {
  case call
  case copy, neg, abs, sign, floor, ceil, round, trunc, square, reciprocal, sqrt, relu
  case isnan, isfinite, not
  case add, sub, mul, div, maximum, minimum, fmax, fmin
  case eq, ne, lt, le, gt, ge, and, or, xor
  case select, gate, clamp
  case toF64, toF32, fromMask, toMask, fromI64, fromI32
  case load, store, fill, pair
}

/// A code of scalar programs. `kind` is the arithmetic's, `from` that of a cast's operand; a call is found again by its row
/// and dtype, its two dtypes, or its rounding.
struct Operation: BitwiseCopyable {
  enum Source: UInt8 { case none, row, cast, round, load, store }
  var op = Op.call
  var kind = Kind.f64, x = Kind.f64, y = Kind.f64, z = Kind.f64, out = Kind.f64
  var arity: UInt8 = 0
  var source = Source.none
  var a: Int16 = 0, b: Int16 = 0

  /// A call of its kernel.
  var calls: Bool { op == .call || (op == .load || op == .store) && source != .none }

  /// The kernel of the instruction set that is chosen now.
  var kernel: UInt {
    let f: ck_kernel?
    switch source {
    case .row: f = ck_row_kernel(Int32(a), Int32(b))
    case .cast: f = ck_cast_kernel(Int32(a), Int32(b))
    case .round: f = ck_round_kernel(Int32(a))
    case .load: f = ck_cast_kernel(Int32(a), Int32(CK_F32))    // of the 16-bit formats
    case .store: f = ck_cast_kernel(Int32(CK_F32), Int32(a))
    case .none: f = nil
    }
    return f.map { UInt(bitPattern: unsafeBitCast($0, to: Int.self)) } ?? 0
  }
}

/// Every operation by its code.
enum Operations {
  static let count: Int = list.count
  /// Lives as long as the process.
  static let table: UnsafePointer<Operation> = {
    let p = UnsafeMutablePointer<Operation>.allocate(capacity: list.count)
    p.initialize(from: list, count: list.count)
    return UnsafePointer(p)
  }()

  private static let list: [Operation] = {
    var t: [Operation] = []
    func set(_ code: Int32, _ o: Operation) {
      if code < 0 { return }
      while t.count <= Int(code) { t.append(Operation()) }
      t[Int(code)] = o
    }
    var row = 0
    while ck_row_name(Int32(row)) != nil {
      for d in 0 ..< 7 { set(ck_scalar_code_row(Int32(row), Int32(d)), operation(row, d)) }
      row += 1
    }
    for from in 0 ..< 7 {
      for to in 0 ..< 7 { set(ck_scalar_code_cast(Int32(from), Int32(to)), cast(from, to)) }
    }
    for d in 0 ..< 7 {
      set(ck_scalar_code_round(Int32(d)), Operation(arity: 1, source: .round, a: Int16(d)))
      let half = d == Int(CK_F16) || d == Int(CK_BF16)
      set(ck_scalar_code_load(Int32(d)), Operation(op: .load, x: carrier(d), out: carrier(d), arity: 1, source: half ? .load : .none, a: Int16(d)))
      set(ck_scalar_code_store(Int32(d)), Operation(op: .store, x: carrier(d), out: carrier(d), arity: 1, source: half ? .store : .none, a: Int16(d)))
      set(ck_scalar_code_fill(Int32(d)), Operation(op: .fill, x: carrier(d), out: carrier(d), arity: 1, a: Int16(d)))
      set(ck_scalar_code_pair(Int32(d)), Operation(op: .pair, x: carrier(d), z: carrier(d), out: carrier(d), arity: 1, a: Int16(d)))
    }
    return t
  }()

  /// What carries a dtype between memory and a slot: integers go as floats of their size.
  private static func carrier(_ dtype: Int) -> Kind {
    switch dtype {
    case Int(CK_F64), Int(CK_I64): .f64
    case Int(CK_BOOL): .mask
    default: .f32
    }
  }

  private static func operation(_ row: Int, _ dtype: Int) -> Operation {
    let arity = UInt8(ck_row_arity(Int32(row)))
    var o = Operation(arity: arity, source: .row, a: Int16(row), b: Int16(dtype))
    let kind: Kind
    switch dtype {
    case Int(CK_F64): kind = .f64
    case Int(CK_F32): kind = .f32
    case Int(CK_BOOL): kind = .mask
    default: return o
    }
    o.op = inline[row] ?? .call
    o.kind = kind
    o.x = o.op == .select || o.op == .gate ? .mask : kind
    o.y = kind
    o.z = kind
    switch ck_row_class(Int32(row)) {
    case .TEST, .COMPARE, .LOGIC: o.out = .mask
    default: o.out = kind
    }
    return o
  }

  private static func cast(_ from: Int, _ to: Int) -> Operation {
    var o = Operation(arity: 1, source: .cast, a: Int16(from), b: Int16(to))
    let kinds: [Int: Kind] = [Int(CK_F64): .f64, Int(CK_F32): .f32, Int(CK_BOOL): .mask, Int(CK_I64): .i64, Int(CK_I32): .i32]
    guard let x = kinds[from], let out = kinds[to] else { return o }
    switch (x, out) {
    case (.f64, .f64), (.f32, .f32), (.mask, .mask): o.op = .copy
    case (.f32, .f64): o.op = .toF64
    case (.f64, .f32): o.op = .toF32
    case (.mask, .f64), (.mask, .f32): o.op = .fromMask
    case (.f64, .mask), (.f32, .mask): o.op = .toMask
    case (.i64, .f64), (.i64, .f32): o.op = .fromI64
    case (.i32, .f64), (.i32, .f32): o.op = .fromI32
    default: return o
    }
    o.kind = out == .mask ? x : out
    o.x = x
    o.out = out
    return o
  }

  private static let inline: [Int: Op] = {
    var t: [Int: Op] = [:]
    let unary: [(Unary, Op)] = [
      (.stop_gradient, .copy), (.neg, .neg), (.abs, .abs), (.sign, .sign), (.floor, .floor), (.ceil, .ceil), (.round, .round),
      (.trunc, .trunc), (.square, .square), (.reciprocal, .reciprocal), (.sqrt, .sqrt), (.relu, .relu), (.isnan, .isnan),
      (.isfinite, .isfinite), (.logical_not, .not),
    ]
    let binary: [(Binary, Op)] = [
      (.add, .add), (.sub, .sub), (.mul, .mul), (.div, .div), (.maximum, .maximum), (.minimum, .minimum), (.fmax, .fmax), (.fmin, .fmin),
      (.eq, .eq), (.ne, .ne), (.lt, .lt), (.le, .le), (.gt, .gt), (.ge, .ge), (.logical_and, .and), (.logical_or, .or), (.logical_xor, .xor),
    ]
    for (u, op) in unary { t[Int(u.rawValue)] = op }
    for (b, op) in binary { t[Int(CK_UNARY_COUNT) + Int(b.rawValue)] = op }
    for (c, op) in [(Ternary.select, Op.select), (.gate, .gate), (.clamp, .clamp)] { t[Int(CK_UNARY_COUNT) + Int(CK_BINARY_COUNT) + Int(c.rawValue)] = op }
    return t
  }()
}
