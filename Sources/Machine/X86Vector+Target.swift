extension X86Vector: VectorTarget {
  static var longest: Int { 200 }
  var width: Int { wide ? 64 : 32 }
  var registers: Int { wide ? 32 : 16 }
  /// k6 has the lanes of the rest, which has one copy; k7 is a temporary.
  func masks(_ copies: Int) -> Int { wide ? (copies == 1 ? 5 : 6 / copies) : 0 }
  var masksTheRest: Bool { wide }

  func takes(_ o: Operation) -> Bool {
    switch o.op {
    case .call: false
    case .fromI64: wide
    default: true
    }
  }

  func demand(_ o: Operation) -> Demand {
    switch o.op {
    case .add, .sub, .mul, .div: return Demand(folds: 1)
    case .eq, .ne, .lt, .le, .gt, .ge: return wide || !mixed(o) ? Demand(folds: 1) : Demand()
    case .sign: return Demand(temporaries: wide ? 0 : 1, early: true)
    case .maximum, .minimum: return Demand(temporaries: wide ? 0 : 1, early: true)
    case .fmax, .fmin: return Demand(temporaries: wide ? 0 : 2, early: true)
    case .clamp: return Demand(temporaries: wide ? 1 : 2, early: true)
    case .reciprocal: return Demand(early: true)
    case .relu, .toMask: return Demand(early: !wide)
    case .gate: return wide ? Demand(folds: 2) : Demand(temporaries: mixed(o) ? 1 : 0, early: true)
    case .select: return o.kind == .mask ? Demand() : wide ? Demand(folds: 1) : mixed(o) ? Demand(temporaries: 1, early: true) : Demand()
    case .fromMask: return !wide && mixed(o) ? Demand(temporaries: 1, early: true) : Demand()
    default: return Demand()
    }
  }

  /// Memory past the rest is not read.
  func folds(_ one: Bool) -> Bool { wide ? one || !partial : !one }

  /// f32 beside lanes of 64 bits.
  private func mixed(_ o: Operation) -> Bool { long && o.kind == .f32 }

  // MARK: the loop

  /// rdi: the table, rsi: the index, rdx: its end, rax: a scratch pointer, rcx: the spills, r11: a scratch number.
  var pointers: [UInt8] { [8, 9, 10, 3, 5, 12, 13, 14, 15] }
  static var scratch: UInt8 { 0 }
  static var spills: UInt8 { 1 }
  private static let first = 3   // of those that belong to the caller

  mutating func align() { while buffer.count & 63 != 0 { trap() } }
  mutating func enter(_ used: Int) {
    for k in X86Vector.first ..< max(used, X86Vector.first) { if let r = General(rawValue: UInt64(pointers[k])) { push(r) } }
  }
  mutating func leave(_ used: Int) {
    clearUpper()
    for k in (X86Vector.first ..< max(used, X86Vector.first)).reversed() { if let r = General(rawValue: UInt64(pointers[k])) { pop(r) } }
    ret()
    trap()
  }
  mutating func pointer(_ r: UInt8, _ index: Int32) { if let r = General(rawValue: UInt64(r)) { pointer(r, Int(index)) } }

  mutating func loop(_ count: Int) -> (top: Int, exit: Int) {
    ahead(count)
    let exit = jump(.greater)
    return (buffer.count, exit)
  }
  mutating func again(_ count: Int, _ l: (top: Int, exit: Int)) {
    advance(count)
    ahead(count)
    jump(.lessOrEqual, to: l.top)
    buffer.patch(l.exit, buffer.count)
  }
  mutating func loopRest() -> (top: Int, exit: Int) {
    let top = buffer.count
    if wide {
      remaining()
      let exit = jump(.lessOrEqual)
      countLanes()
      return (top, exit)
    }
    compareIndex()
    return (top, jump(.greaterOrEqual))
  }
  mutating func againRest(_ l: (top: Int, exit: Int)) {
    advance(lanes)
    jump(to: l.top)
    buffer.patch(l.exit, buffer.count)
  }

  mutating func unlessAligned(_ a: VectorAddress) -> Int {
    testAlignment(a)
    return jump(.notEqual)
  }
  mutating func land(_ jump: Int) { buffer.patch(jump, buffer.count) }

  // MARK: loads and stores

  /// Of a vector of such elements; masks of AVX2 are as long as the longest.
  private func length(_ k: Kind) -> Int {
    switch k {
    case .f64, .i64: wide ? 2 : 1
    case .f32, .i32: long ? (wide ? 1 : 0) : (wide ? 2 : 1)
    case .mask: 1
    }
  }
  private func short(_ k: Kind) -> Bool { k == .f32 || k == .i32 }
  private func k(_ m: Int) -> Int { m + 1 }
  private var rest: Int { partial ? 6 : 0 }

  func borrows(_ kind: Kind, storing: Bool) -> Bool { kind == .mask && (wide || storing) }

  mutating func load(_ d: Int, _ kind: Kind, _ a: VectorAddress, _ t: Int) {
    if kind == .mask {
      if wide {
        bytes(load: t, .memory(a), k: rest)
        maskFromBytes(k(d), t)
      } else {
        maskFromBytes(d, .memory(a))
      }
    } else if a.spread {
      spread(length(kind), d, .memory(VectorAddress(base: a.base, displacement: a.displacement)), f32: short(kind))
    } else {
      load(length(kind), d, .memory(a), f32: short(kind), k: rest)
    }
  }
  mutating func store(_ s: Int, _ kind: Kind, _ a: VectorAddress, _ t: Int) {
    if kind == .mask {
      if wide {
        bytesFromMask(t, k(s))
        bytes(store: t, .memory(a), k: rest)
      } else {
        storeBytes(s, .memory(a), t)
      }
    } else if streaming {
      stream(length(kind), s, .memory(a), f32: short(kind))
    } else {
      store(length(kind), s, .memory(a), f32: short(kind), k: rest)
    }
  }
  mutating func spill(_ s: Int, _ kind: Kind, _ a: VectorAddress) {
    if kind == .mask && wide { storeMask(k(s), .memory(a)) } else { store(length(kind), s, .memory(a), f32: short(kind)) }
  }
  mutating func reload(_ d: Int, _ kind: Kind, _ a: VectorAddress) {
    if kind == .mask && wide { moveMask(k(d), .memory(a)) } else { load(length(kind), d, .memory(a), f32: short(kind)) }
  }

  // MARK: operations

  private func place(_ o: VectorOperand) -> Place {
    switch o {
    case .register(let r): .register(r)
    case .memory(let a): .memory(a)
    }
  }
  private func register(_ o: VectorOperand) -> Int {
    if case .register(let r) = o { return r }
    return 0
  }

  mutating func emit(_ o: Operation, _ d: Int, _ x: Int, _ y: VectorOperand, _ z: VectorOperand, _ t: Int, _ u: Int) {
    let f32 = o.kind == .f32, l = length(o.kind)
    switch o.op {
    case .add: arithmetic(0x58, l, d, x, place(y), f32: f32)
    case .mul: arithmetic(0x59, l, d, x, place(y), f32: f32)
    case .sub: arithmetic(0x5C, l, d, x, place(y), f32: f32)
    case .div: arithmetic(0x5E, l, d, x, place(y), f32: f32)
    case .neg: arithmetic(0x57, l, d, x, .literal(f32 ? .sign32 : .sign64), f32: f32)
    case .abs: arithmetic(0x54, l, d, x, .literal(f32 ? .rest32 : .rest64), f32: f32)
    case .square: arithmetic(0x59, l, d, x, .register(x), f32: f32)
    case .sqrt: sqrt(l, d, .register(x), f32: f32)
    case .reciprocal:
      load(l, d, .literal(f32 ? .one32 : .one64), f32: f32)
      arithmetic(0x5E, l, d, d, .register(x), f32: f32)
    case .floor: round(.floor, l, d, .register(x), f32: f32)
    case .ceil: round(.ceil, l, d, .register(x), f32: f32)
    case .round: round(.even, l, d, .register(x), f32: f32)
    case .trunc: round(.trunc, l, d, .register(x), f32: f32)
    case .toF64: toF64(length(.f64), d, x)
    case .toF32: toF32(length(.f64), d, x)
    case .fromI64: fromI64(length(.f64), d, x, f32: f32)
    case .fromI32: fromI32(l, d, x, f32: f32)
    case .call: break
    default:
      if wide { wideChoice(o, d, x, y, z, t) } else { narrowChoice(o, d, x, y, z, t, u) }
    }
  }

  /// Whatever compares or chooses, with mask registers.
  private mutating func wideChoice(_ o: Operation, _ d: Int, _ x: Int, _ y: VectorOperand, _ z: VectorOperand, _ t: Int) {
    let f32 = o.kind == .f32, l = length(o.kind)
    switch o.op {
    case .copy:
      if d != x { if o.kind == .mask { moveMask(k(d), .register(k(x))) } else { move(l, d, .register(x)) } }
    case .relu:   // +0 where x <= 0
      compare(.notLE, l, 7, x, .literal(.zero), f32: f32)
      move(l, d, .register(x), f32: f32, k: 7, zeroing: true)
    case .sign:   // 1 with the sign of x where x is neither 0 nor NaN
      compare(.neOrdered, l, 7, x, .literal(.zero), f32: f32)
      arithmetic(0x54, l, d, x, .literal(f32 ? .sign32 : .sign64), f32: f32)
      arithmetic(0x56, l, d, d, .literal(f32 ? .one32 : .one64), f32: f32)
      blend(l, d, x, .register(d), k: 7, f32: f32)
    case .maximum: larger(0x5F, d, x, register(y), f32)
    case .minimum: larger(0x5D, d, x, register(y), f32)
    case .clamp:
      larger(0x5F, t, x, register(y), f32)
      larger(0x5D, d, t, register(z), f32)
    case .fmax: number(0x5F, d, x, register(y), f32)
    case .fmin: number(0x5D, d, x, register(y), f32)
    case .eq: compare(.eq, l, k(d), x, place(y), f32: f32)
    case .ne: compare(.ne, l, k(d), x, place(y), f32: f32)
    case .lt: compare(.lt, l, k(d), x, place(y), f32: f32)
    case .le: compare(.le, l, k(d), x, place(y), f32: f32)
    case .gt: compare(.gt, l, k(d), x, place(y), f32: f32)
    case .ge: compare(.ge, l, k(d), x, place(y), f32: f32)
    case .isnan: compare(.unordered, l, k(d), x, .register(x), f32: f32)
    case .isfinite:
      unbounded(l, k: 7, x, f32: f32)
      masks(0x44, k(d), 0, 7)
    case .toMask: compare(.ne, l, k(d), x, .literal(.zero), f32: f32)
    case .not: masks(0x44, k(d), 0, k(x))
    case .and: masks(0x41, k(d), k(x), k(register(y)))
    case .or: masks(0x45, k(d), k(x), k(register(y)))
    case .xor: masks(0x47, k(d), k(x), k(register(y)))
    case .select where o.kind == .mask:
      masks(0x41, 7, k(x), k(register(y)))
      masks(0x42, k(d), k(x), k(register(z)))
      masks(0x45, k(d), k(d), 7)
    case .select: blend(l, d, register(z), place(y), k: k(x), f32: f32)
    case .gate: arithmetic(0x59, l, d, register(y), place(z), f32: f32, k: k(x), zeroing: true)
    case .fromMask: move(l, d, .literal(f32 ? .one32 : .one64), f32: f32, k: k(x), zeroing: true)
    default: break
    }
  }

  /// x or y where one is larger (5F) or smaller (5D), both bits for equal ones, which only zeros show; y where either is NaN.
  private mutating func extreme(_ op: UInt64, _ d: Int, _ x: Int, _ y: Int, _ f32: Bool) {
    let l = length(f32 ? .f32 : .f64)
    arithmetic(op, l, d, x, .register(y), f32: f32)
    compare(.eq, l, 7, x, .register(y), f32: f32)
    arithmetic(op == 0x5F ? 0x54 : 0x56, l, d, x, .register(y), f32: f32, k: 7)
  }
  private mutating func larger(_ op: UInt64, _ d: Int, _ x: Int, _ y: Int, _ f32: Bool) {
    let l = length(f32 ? .f32 : .f64)
    extreme(op, d, x, y, f32)
    compare(.unordered, l, 7, x, .register(x), f32: f32)
    move(l, d, .register(x), f32: f32, k: 7)
  }
  /// As `extreme`, x where only y is NaN.
  private mutating func number(_ op: UInt64, _ d: Int, _ x: Int, _ y: Int, _ f32: Bool) {
    let l = length(f32 ? .f32 : .f64)
    extreme(op, d, x, y, f32)
    compare(.unordered, l, 7, y, .register(y), f32: f32)
    compare(.ordered, l, 7, x, .register(x), f32: f32, k: 7)
    move(l, d, .register(x), f32: f32, k: 7)
  }

  /// The same with masks in vectors.
  private mutating func narrowChoice(_ o: Operation, _ d: Int, _ x: Int, _ y: VectorOperand, _ z: VectorOperand, _ t: Int, _ u: Int) {
    let f32 = o.kind == .f32, l = length(o.kind), ry = register(y), rz = register(z)
    switch o.op {
    case .copy: if d != x { move(l, d, .register(x)) }
    case .relu:
      arithmetic(0x57, l, d, d, .register(d), f32: f32)
      compare(.le, l, d, x, .register(d), f32: f32)
      arithmetic(0x55, l, d, d, .register(x), f32: f32)
    case .sign:
      arithmetic(0x54, l, t, x, .literal(f32 ? .sign32 : .sign64), f32: f32)
      arithmetic(0x56, l, t, t, .literal(f32 ? .one32 : .one64), f32: f32)
      compare(.neOrdered, l, d, x, .literal(.zero), f32: f32)
      blend(l, d, x, .register(t), mask: d, f32: f32)
    case .maximum: narrowLarger(0x5F, d, x, ry, t, f32)
    case .minimum: narrowLarger(0x5D, d, x, ry, t, f32)
    case .clamp:
      narrowLarger(0x5F, t, x, ry, u, f32)
      narrowLarger(0x5D, d, t, rz, u, f32)
    case .fmax: narrowNumber(0x5F, d, x, ry, t, u, f32)
    case .fmin: narrowNumber(0x5D, d, x, ry, t, u, f32)
    case .eq: test(.eq, d, x, place(y), f32)
    case .ne: test(.ne, d, x, place(y), f32)
    case .lt: test(.lt, d, x, place(y), f32)
    case .le: test(.le, d, x, place(y), f32)
    case .gt: test(.gt, d, x, place(y), f32)
    case .ge: test(.ge, d, x, place(y), f32)
    case .isnan: test(.unordered, d, x, .register(x), f32)
    case .isfinite:   // x - x is 0 or NaN
      arithmetic(0x5C, l, d, x, .register(x), f32: f32)
      test(.ordered, d, d, .register(d), f32)
    case .toMask: test(.ne, d, x, .literal(.zero), f32)
    case .not: arithmetic(0x57, 1, d, x, .literal(.ones), f32: false)
    case .and: arithmetic(0x54, 1, d, x, .register(ry), f32: false)
    case .or: arithmetic(0x56, 1, d, x, .register(ry), f32: false)
    case .xor: arithmetic(0x57, 1, d, x, .register(ry), f32: false)
    case .select: blend(l, d, rz, .register(ry), mask: narrowed(x, t, f32), f32: f32 || o.kind == .mask && !long)
    case .gate:
      arithmetic(0x59, l, d, ry, .register(rz), f32: f32)
      arithmetic(0x54, l, d, d, .register(narrowed(x, t, f32)), f32: f32)
    case .fromMask: arithmetic(0x54, l, d, narrowed(x, t, f32), .literal(f32 ? .one32 : .one64), f32: f32)
    default: break
    }
  }
  private mutating func narrowed(_ x: Int, _ t: Int, _ f32: Bool) -> Int {
    if !f32 || !long { return x }
    narrowMask(t, x)
    return t
  }
  private mutating func test(_ c: Comparison, _ d: Int, _ x: Int, _ y: Place, _ f32: Bool) {
    compare(c, length(f32 ? .f32 : .f64), d, x, y, f32: f32)
    if f32 && long { widenMask(d, d) }
  }
  private mutating func narrowExtreme(_ op: UInt64, _ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    let l = length(f32 ? .f32 : .f64)
    arithmetic(op, l, d, x, .register(y), f32: f32)
    compare(op == 0x5F ? .ne : .eq, l, t, x, .register(y), f32: f32)
    if op == 0x5F {
      arithmetic(0x56, l, t, t, .register(x), f32: f32)
      arithmetic(0x54, l, d, d, .register(t), f32: f32)
    } else {
      arithmetic(0x54, l, t, t, .register(x), f32: f32)
      arithmetic(0x56, l, d, d, .register(t), f32: f32)
    }
  }
  private mutating func narrowLarger(_ op: UInt64, _ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    let l = length(f32 ? .f32 : .f64)
    narrowExtreme(op, d, x, y, t, f32)
    compare(.unordered, l, t, x, .register(x), f32: f32)
    blend(l, d, d, .register(x), mask: t, f32: f32)
  }
  private mutating func narrowNumber(_ op: UInt64, _ d: Int, _ x: Int, _ y: Int, _ t: Int, _ u: Int, _ f32: Bool) {
    let l = length(f32 ? .f32 : .f64)
    narrowExtreme(op, d, x, y, t, f32)
    compare(.unordered, l, t, y, .register(y), f32: f32)
    compare(.ordered, l, u, x, .register(x), f32: f32)
    arithmetic(0x54, l, t, t, .register(u), f32: f32)
    blend(l, d, d, .register(x), mask: t, f32: f32)
  }
}
