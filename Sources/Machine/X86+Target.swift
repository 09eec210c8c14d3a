import CKernels

extension X86: Target {
  static var registers: Int { 16 }
  static var longest: Int { 160 }
  static func reaches(_ slot: Int32) -> Bool { slot >= 0 && slot < 1 << 27 }

  static func demand(_ o: Operation) -> Demand {
    switch o.op {
    case .call, .copy, .neg, .abs, .round, .floor, .ceil, .trunc, .square, .sqrt, .isnan, .not, .and, .or, .xor: Demand()
    case .select, .toF64, .toF32, .fromMask, .isfinite, .load, .store, .fill, .pair: Demand()
    case .fromI64, .fromI32: Demand()
    case .add, .sub, .mul, .div: Demand(folds: 1)
    case .eq, .ne, .lt, .le, .gt, .ge: Demand(folds: 1)
    case .gate: Demand(folds: 2, early: true)
    case .reciprocal, .relu, .toMask: Demand(early: true)
    case .sign, .maximum, .minimum: Demand(temporaries: 1, early: true)
    case .fmax, .fmin, .clamp: Demand(temporaries: 2, early: true)
    }
  }

  /// A cache line of its own, traps before it.
  mutating func align() { while buffer.count & 63 != 0 { trap() } }
  /// The stack is 16-byte aligned behind three pushes, as calls want it.
  mutating func enter(calls: Bool, near: Int32) {
    origin = 128 + 8 * Int(near)
    (base, inputs, outputs) = calls ? (.rbx, .rbp, .r14) : (.rdi, .rsi, .rdx)
    if calls { saveArguments() }
    setBase()
    forget()
    widened = false
  }
  mutating func leave() {
    narrow()
    if base == .rbx { restoreRegisters() }
    ret()
    trap()
  }

  private mutating func load(_ r: Int, _ kind: Kind, _ m: Place) {
    if kind == .mask {
      clearEAX()
      compareAL(m)
      spreadBorrow()
      maskFromRAX(r)
    } else {
      load(r, m, f32: kind == .f32)
    }
  }
  private mutating func store(_ r: Int, _ kind: Kind, _ m: Place) {
    if kind == .mask {
      maskToEAX(r)
      andEAX1()
      storeAL(m)
    } else {
      store(r, m, f32: kind == .f32)
    }
  }
  mutating func load(_ r: Int, _ kind: Kind, _ slot: Int32) { load(r, kind, .home(slot)) }
  mutating func store(_ r: Int, _ kind: Kind, _ slot: Int32) { store(r, kind, .home(slot)) }
  mutating func load(_ r: Int, _ kind: Kind, from t: ck_transfer) { load(r, kind, outside(t)) }
  mutating func store(_ r: Int, _ kind: Kind, to t: ck_transfer) { store(r, kind, outside(t)) }

  mutating func store(_ r: Int, _ s: Int, _ both: Int, _ kind: Kind, to t: ck_transfer) {
    let m = outside(t)
    join(both, r, s, f32: kind == .f32)
    if kind == .f32 { store(both, m, f32: false) } else { storeHalf(both, m) }
  }
  static var takesSilence: Bool { ck_level() >= 2 }
  static func takesSilence(_ o: Op) -> Bool {
    switch o {
    case .copy, .neg, .abs, .square, .reciprocal, .sqrt, .add, .sub, .mul, .div, .not, .and, .or, .xor, .select, .gate, .fromMask, .load, .store, .fill, .pair: true
    default: false
    }
  }

  mutating func spread(_ r: Int, _ kind: Kind, into t: Int) {
    if kind != .mask { broadcast(t, r, f32: kind == .f32) }
  }
  mutating func fill(_ r: Int, _ spread: Int, _ kind: Kind, _ t: ck_transfer, count: Int) {
    guard count > 0, case .memory(let p, let d) = outside(t) else { return }
    func at(_ bytes: Int) -> Place { .memory(p, d + Int32(truncatingIfNeeded: bytes)) }
    if kind == .mask {
      maskToEAX(r)
      andEAX1()
      for k in 0 ..< count { storeAL(at(k)) }
      return
    }
    // Vectors, the last of which may lie over the one before.
    let bytes = count * (kind == .f32 ? 4 : 8)
    var done = 0
    if wide {
      while bytes - done >= 64 {
        storeWidest(spread, at(done))
        done += 64
      }
      if bytes - done > 32, bytes >= 64 { return storeWidest(spread, at(bytes - 64)) }
    }
    while bytes - done >= 32 {
      storeWide(spread, at(done))
      done += 32
    }
    let rest = bytes - done
    if rest == 0 { return }
    if rest > 16, bytes >= 32 { return storeWide(spread, at(bytes - 32)) }
    if rest > 16 { storeHalf(spread, at(done)) }
    if bytes >= 16 { storeHalf(spread, at(bytes - 16)) } else { for k in stride(from: done, to: bytes, by: kind == .f32 ? 4 : 8) { store(r, kind, at(k)) } }
  }

  mutating func call(_ kernel: UInt, arity: UInt8, _ x: Spot, _ y: Spot, _ z: Spot, _ out: Spot, count: UInt32) {
    argument(.rdi, x)
    if arity > 1 { argument(.rsi, y) }
    if arity > 2 { argument(.rdx, z) }
    argument(.rcx, out)
    setR8D(count)
    setRAX(UInt64(kernel))
    narrow()
    callRAX()
    forget()
  }
  private mutating func argument(_ d: General, _ s: Spot) {
    switch s {
    case .slot(let n): address(d, .home(n))
    case .outside(let t): address(d, outside(t))
    }
  }

  /// A host's array is reached through its pointer, which stays in one of a few general registers; far offsets have pointers of their own.
  private mutating func outside(_ t: ck_transfer) -> Place {
    let part = t.offset >> 30, rest = Int32(truncatingIfNeeded: t.offset & (1 << 30 - 1))
    if t.base == 0, part == 0 { return .memory(base, Int32(truncatingIfNeeded: Int(rest) - origin)) }
    let key = Int64(t.base) << 61 | part << 32 | Int64(t.host)
    var oldest = 0
    clock += 1
    for k in 0 ..< X86.pointers.count {
      if pointed[k] == key {
        used[k] = clock
        return .memory(X86.pointers[k], rest)
      }
      if used[k] < used[oldest] { oldest = k }
    }
    pointed[oldest] = key
    used[oldest] = clock
    let p = X86.pointers[oldest]
    switch t.base {
    case 0: address(p, .memory(base, Int32(truncatingIfNeeded: -origin)))
    case 1: pointer(p, .memory(inputs, t.host &* 8))
    default: pointer(p, .memory(outputs, t.host &* 8))
    }
    if part != 0 {
      setRAX(UInt64(part) << 30)
      addRAX(p)
    }
    return .memory(p, rest)
  }

  @inline(__always) private func place(_ r: Int) -> Place { r < 0 ? .home(Int32(truncatingIfNeeded: -1 - r)) : .register(r) }

  mutating func emit(_ o: Operation, _ d: Int, _ x: Int, _ y: Int, _ z: Int, _ t: Int, _ u: Int) {
    let f32 = o.kind == .f32
    switch o.op {
    case .add: arithmetic(0x58, d, x, place(y), f32: f32)
    case .mul: arithmetic(0x59, d, x, place(y), f32: f32)
    case .sub: arithmetic(0x5C, d, x, place(y), f32: f32)
    case .div: arithmetic(0x5E, d, x, place(y), f32: f32)
    case .copy: if d != x { move(d, x) }
    case .neg: bits(0x57, d, x, .literal(f32 ? .sign32 : .sign64))
    case .abs: bits(0x54, d, x, .literal(f32 ? .rest32 : .rest64))
    case .square: arithmetic(0x59, d, x, .register(x), f32: f32)
    case .sqrt: arithmetic(0x51, d, x, .register(x), f32: f32)
    case .reciprocal:
      load(d, .literal(f32 ? .one32 : .one64), f32: f32)
      arithmetic(0x5E, d, d, .register(x), f32: f32)
    case .floor: round(.floor, d, x, f32: f32)
    case .ceil: round(.ceil, d, x, f32: f32)
    case .round: round(.even, d, x, f32: f32)
    case .trunc: round(.trunc, d, x, f32: f32)
    case .relu:   // +0 where x <= 0
      bits(0x57, d, d, .register(d))
      compare(.le, d, x, .register(d), f32: f32)
      bits(0x55, d, d, .register(x))
    case .sign:   // 1 with the sign of x where x is neither 0 nor NaN
      bits(0x54, t, x, .literal(f32 ? .sign32 : .sign64))
      bits(0x56, t, t, .literal(f32 ? .one32 : .one64))
      bits(0x57, d, d, .register(d))
      compare(.neOrdered, d, x, .register(d), f32: f32)
      blend(d, x, .register(t), mask: d, f32: f32)
    case .maximum: larger(d, x, y, t, f32)
    case .minimum: smaller(d, x, y, t, f32)
    case .clamp:
      larger(t, x, y, u, f32)
      smaller(d, t, z, u, f32)
    case .fmax:
      extreme(0x5F, d, x, y, t, f32)
      numberOf(d, x, y, t, u, f32)
    case .fmin:
      extreme(0x5D, d, x, y, t, f32)
      numberOf(d, x, y, t, u, f32)
    case .eq: test(.eq, d, x, place(y), f32)
    case .ne: test(.ne, d, x, place(y), f32)
    case .lt: test(.lt, d, x, place(y), f32)
    case .le: test(.le, d, x, place(y), f32)
    case .gt: test(.gt, d, x, place(y), f32)
    case .ge: test(.ge, d, x, place(y), f32)
    case .isnan: test(.unordered, d, x, .register(x), f32)
    case .isfinite:   // x - x is 0 or NaN
      arithmetic(0x5C, d, x, .register(x), f32: f32)
      test(.ordered, d, d, .register(d), f32)
    case .toMask:
      bits(0x57, d, d, .register(d))
      test(.ne, d, x, .register(d), f32)
    case .not: bits(0x57, d, x, .literal(.ones))
    case .and: bits(0x54, d, x, place(y))
    case .or: bits(0x56, d, x, place(y))
    case .xor: bits(0x57, d, x, place(y))
    case .select: blend(d, z, .register(y), mask: x, f32: f32)
    case .gate:
      arithmetic(0x59, d, y, place(z), f32: f32)
      bits(0x54, d, d, .register(x))
    case .toF64: toF64(d, x)
    case .toF32: toF32(d, x)
    case .fromMask: bits(0x54, d, x, .literal(f32 ? .one32 : .one64))
    case .fromI64, .fromI32:
      bits(0x57, d, d, .register(d))
      fromInteger(d, place(x), wide: o.op == .fromI64, f32: f32)
    case .call, .load, .store, .fill, .pair: break
    }
  }

  /// A comparison whose mask fills 64 bits. d may be x or y.
  private mutating func test(_ c: Comparison, _ d: Int, _ x: Int, _ y: Place, _ f32: Bool) {
    compare(c, d, x, y, f32: f32)
    if f32 { duplicateLow32(d, d) }
  }

  /// x or y where one is larger (5F) or smaller (5D), both bits for equal ones, which only zeros show; y where either is NaN.
  private mutating func extreme(_ op: UInt64, _ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    arithmetic(op, d, x, .register(y), f32: f32)
    compare(op == 0x5F ? .ne : .eq, t, x, .register(y), f32: f32)
    if op == 0x5F {
      bits(0x56, t, t, .register(x))
      bits(0x54, d, d, .register(t))
    } else {
      bits(0x54, t, t, .register(x))
      bits(0x56, d, d, .register(t))
    }
  }
  private mutating func larger(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    extreme(0x5F, d, x, y, t, f32)
    keepNaN(d, x, t, f32)
  }
  private mutating func smaller(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    extreme(0x5D, d, x, y, t, f32)
    keepNaN(d, x, t, f32)
  }
  private mutating func keepNaN(_ d: Int, _ x: Int, _ t: Int, _ f32: Bool) {
    compare(.unordered, t, x, .register(x), f32: f32)
    blend(d, d, .register(x), mask: t, f32: f32)
  }
  /// d becomes x where y is NaN and x is not.
  private mutating func numberOf(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ u: Int, _ f32: Bool) {
    compare(.unordered, t, y, .register(y), f32: f32)
    compare(.ordered, u, x, .register(x), f32: f32)
    bits(0x54, t, t, .register(u))
    blend(d, d, .register(x), mask: t, f32: f32)
  }
}
