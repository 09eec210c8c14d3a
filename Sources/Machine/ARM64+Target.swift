import CKernels

extension ARM64: Target {
  /// v0 to v7 and v16 to v31: the low halves of the others belong to the caller.
  static var registers: Int { 24 }
  static var longest: Int { 160 }
  static func reaches(_ slot: Int32) -> Bool { slot >= 0 && slot < 1 << 28 }

  static func demand(_ o: Operation) -> Demand {
    switch o.op {
    case .reciprocal, .relu, .select, .gate, .fromMask: Demand(early: true)
    case .maximum, .minimum: Demand(temporaries: 1, early: true)
    case .sign, .fmax, .fmin, .clamp: Demand(temporaries: 2, early: true)
    default: Demand()
    }
  }

  mutating func align() { while buffer.count & 63 != 0 { trap() } }
  mutating func enter(calls: Bool, near: Int32) {
    enterFrame()
    forget()
  }
  mutating func leave() {
    leaveFrame()
    ret()
    trap()
  }

  @inline(__always) private func v(_ r: Int) -> Int { r < 8 ? r : r + 8 }

  mutating func load(_ r: Int, _ kind: Kind, _ slot: Int32) { load(r, kind, 19, UInt32(slot) << 3) }
  mutating func store(_ r: Int, _ kind: Kind, _ slot: Int32) { store(r, kind, 19, UInt32(slot) << 3) }
  mutating func load(_ r: Int, _ kind: Kind, from t: ck_transfer) {
    let (base, offset) = outside(t)
    load(r, kind, base, offset)
  }
  mutating func store(_ r: Int, _ kind: Kind, to t: ck_transfer) {
    let (base, offset) = outside(t)
    store(r, kind, base, offset)
  }

  private mutating func load(_ r: Int, _ kind: Kind, _ base: UInt32, _ offset: UInt32) {
    if kind == .mask {
      transfer(17, base, offset, .byte, load: true, vector: false)
      spreadW17()
      maskFromX17(v(r))
    } else {
      transfer(v(r), base, offset, kind == .f32 ? .word : .double, load: true, vector: true)
    }
  }
  private mutating func store(_ r: Int, _ kind: Kind, _ base: UInt32, _ offset: UInt32) {
    if kind == .mask {
      maskToX17(v(r))
      andW17One()
      transfer(17, base, offset, .byte, load: false, vector: false)
    } else {
      transfer(v(r), base, offset, kind == .f32 ? .word : .double, load: false, vector: true)
    }
  }

  /// A host's array is reached through its pointer, which stays in one of x9 to x15; far offsets have pointers of their own.
  private mutating func outside(_ t: ck_transfer) -> (base: UInt32, offset: UInt32) {
    let part = t.offset >> 30, rest = UInt32(truncatingIfNeeded: t.offset & (1 << 30 - 1))
    if t.base == 0, part == 0 { return (19, rest) }
    let key = Int64(t.base) << 61 | part << 32 | Int64(t.host)
    var oldest = 0
    clock += 1
    for k in 0 ..< 7 {
      if pointed[k] == key {
        used[k] = clock
        return (9 + UInt32(k), rest)
      }
      if used[k] < used[oldest] { oldest = k }
    }
    pointed[oldest] = key
    used[oldest] = clock
    let p = 9 + UInt32(oldest)
    if t.base == 0 { address(p, 19, 0) } else { transfer(Int(p), t.base == 1 ? 20 : 21, UInt32(t.host) << 3, .double, load: true, vector: false) }
    if part != 0 {
      setX16(UInt64(part) << 30)
      addX16(p)
    }
    return (p, rest)
  }

  mutating func spread(_ r: Int, _ kind: Kind, into t: Int) {}
  mutating func store(_ r: Int, _ s: Int, _ both: Int, _ kind: Kind, to t: ck_transfer) {
    var behind = t
    behind.offset += kind == .f32 ? 4 : 8
    store(r, kind, to: t)
    store(s, kind, to: behind)
  }
  static var takesSilence: Bool { false }
  static func takesSilence(_ o: Op) -> Bool { false }
  mutating func fill(_ r: Int, _ spread: Int, _ kind: Kind, _ t: ck_transfer, count: Int) {
    var t = t
    for _ in 0 ..< count {
      store(r, kind, to: t)
      t.offset += kind == .f32 ? 4 : kind == .mask ? 1 : 8
    }
  }

  mutating func call(_ kernel: UInt, arity: UInt8, _ x: Spot, _ y: Spot, _ z: Spot, _ out: Spot, count: UInt32) {
    argument(0, x)
    if arity > 1 { argument(1, y) }
    if arity > 2 { argument(2, z) }
    argument(3, out)
    setX4(count)
    setX16(UInt64(kernel))
    callX16()
    forget()
  }
  private mutating func argument(_ d: UInt32, _ s: Spot) {
    switch s {
    case .slot(let n): address(d, n)
    case .outside(let t):
      let (base, offset) = outside(t)
      address(d, base, offset)
    }
  }

  mutating func emit(_ o: Operation, _ d: Int, _ x: Int, _ y: Int, _ z: Int, _ t: Int, _ u: Int) {
    let f32 = o.kind == .f32
    if o.op == .fromI64 || o.op == .fromI32 {
      let wide = o.op == .fromI64
      transfer(17, Int32(truncatingIfNeeded: -1 - x), wide ? .double : .word, load: true, vector: false)
      return fromX17(v(d), wide: wide, f32: f32)
    }
    let d = v(d), x = v(x), y = v(y), z = v(z), t = v(t), u = v(u)
    switch o.op {
    case .add: add(d, x, y, f32: f32)
    case .sub: sub(d, x, y, f32: f32)
    case .mul: mul(d, x, y, f32: f32)
    case .div: div(d, x, y, f32: f32)
    case .copy: if d != x { move(d, x) }
    case .neg: neg(d, x, f32: f32)
    case .abs: abs(d, x, f32: f32)
    case .square: mul(d, x, x, f32: f32)
    case .sqrt: sqrt(d, x, f32: f32)
    case .reciprocal:
      one(d, f32: f32)
      div(d, d, x, f32: f32)
    case .floor: round(.floor, d, x, f32: f32)
    case .ceil: round(.ceil, d, x, f32: f32)
    case .round: round(.even, d, x, f32: f32)
    case .trunc: round(.trunc, d, x, f32: f32)
    case .relu:   // +0 where x <= 0
      compareZero(.le, d, x, f32: f32)
      clear(d, x, d)
    case .sign:   // 1 with the sign of x where x is neither 0 nor NaN
      sign(t, f32: f32)
      one(d, f32: f32)
      insert(d, x, where: t)
      compareZero(.gt, t, x, f32: f32)
      compareZero(.lt, u, x, f32: f32)
      or(t, t, u)
      insert(d, x, unless: t)
    case .maximum: larger(d, x, y, t, f32)
    case .minimum: smaller(d, x, y, t, f32)
    case .clamp:
      larger(t, x, y, u, f32)
      smaller(d, t, z, u, f32)
    case .fmax:
      largest(d, x, y, t, f32)
      numberOf(d, x, y, t, u, f32)
    case .fmin:
      smallest(d, x, y, t, f32)
      numberOf(d, x, y, t, u, f32)
    case .eq: test(.eq, d, x, y, f32)
    case .ne:
      test(.eq, d, x, y, f32)
      not(d, d)
    case .lt: test(.gt, d, y, x, f32)
    case .le: test(.ge, d, y, x, f32)
    case .gt: test(.gt, d, x, y, f32)
    case .ge: test(.ge, d, x, y, f32)
    case .isnan:
      test(.eq, d, x, x, f32)
      not(d, d)
    case .isfinite:   // x - x is 0 or NaN
      sub(d, x, x, f32: f32)
      test(.eq, d, d, d, f32)
    case .toMask:
      compareZero(.eq, d, x, f32: f32)
      if f32 { duplicateLow32(d, d) }
      not(d, d)
    case .not: not(d, x)
    case .and: and(d, x, y)
    case .or: or(d, x, y)
    case .xor: xor(d, x, y)
    case .select:
      move(d, x)
      choose(d, y, z)
    case .gate:
      mul(d, y, z, f32: f32)
      and(d, d, x)
    case .toF64: toF64(d, x)
    case .toF32: toF32(d, x)
    case .fromMask:
      one(d, f32: f32)
      and(d, d, x)
    case .fromI64, .fromI32, .call, .load, .store, .fill, .pair: break
    }
  }

  /// A comparison whose mask fills 64 bits. d may be x or y.
  private mutating func test(_ c: Comparison, _ d: Int, _ x: Int, _ y: Int, _ f32: Bool) {
    compare(c, d, x, y, f32: f32)
    if f32 { duplicateLow32(d, d) }
  }

  /// x or y where one is larger, both bits for equal ones, which only zeros show; y where either is NaN.
  private mutating func largest(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    compare(.gt, d, x, y, f32: f32)
    choose(d, x, y)
    compare(.eq, t, x, y, f32: f32)
    orNot(t, x, t)
    and(d, d, t)
  }
  private mutating func smallest(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    compare(.gt, d, y, x, f32: f32)
    choose(d, x, y)
    compare(.eq, t, x, y, f32: f32)
    and(t, t, x)
    or(d, d, t)
  }
  private mutating func larger(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    largest(d, x, y, t, f32)
    compare(.eq, t, x, x, f32: f32)
    insert(d, x, unless: t)
  }
  private mutating func smaller(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ f32: Bool) {
    smallest(d, x, y, t, f32)
    compare(.eq, t, x, x, f32: f32)
    insert(d, x, unless: t)
  }
  /// d becomes x where y is NaN and x is not.
  private mutating func numberOf(_ d: Int, _ x: Int, _ y: Int, _ t: Int, _ u: Int, _ f32: Bool) {
    compare(.eq, t, y, y, f32: f32)
    compare(.eq, u, x, x, f32: f32)
    clear(u, u, t)
    insert(d, x, where: u)
  }
}
