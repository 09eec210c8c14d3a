import CKernels
package import Tape

/// Figures of one element or weighted sum: sweeps, contributions, the other branches.
extension Rounding {
  /// The output's element.
  package func at(output: Int, element: Int) throws(Failure) {
    guard trace != nil else { throw Failure(.invalid, "rounding: nothing was run yet") }
    guard outputs.indices.contains(output) else { throw Failure(.invalid, "rounding: output \(output) of \(outputs.count)") }
    let count = source.type(outputs[output]).count
    guard element >= 0, element < count else { throw Failure(.invalid, "rounding: element \(element) of the \(count) of output \(output)") }
    let w = Pool(limit: memoryLimit)
    guard let p = w.take(count * 8)?.assumingMemoryBound(to: Double.self) else { throw Failure(.memory, "rounding: memory was refused") }
    p.update(repeating: 0, count: count)
    p[element] = 1
    try weigh(output, [UnsafeRawPointer(p)])
  }

  /// The sum of all outputs' elements with these weights.
  package func along(_ weights: (Int) -> UnsafePointer<Double>?) throws(Failure) {
    guard trace != nil else { throw Failure(.invalid, "rounding: nothing was run yet") }
    var list: [UnsafeRawPointer?] = []
    for (k, n) in outputs.enumerated() {
      guard source.type(n).count == 0 || weights(k) != nil else { throw Failure(.invalid, "rounding: the weights of output \(k) are NULL") }
      list.append(weights(k).map { UnsafeRawPointer($0) })
    }
    try weigh(-1, list)
  }

  func weigh(_ output: Int, _ weights: [UnsafeRawPointer?]) throws(Failure) {
    guard let t = trace, let truth else { return }
    let s = try sweep(output)
    let saved = ck_fenv_enter()
    defer { ck_fenv_leave(saved) }
    var f = Figures()
    f.unit = s.seeds.map { Format(t.tape.dtype(roots[$0.output]))?.unit ?? 0x1p-53 }.max() ?? 0x1p-53
    let sums = Sums(t.quad)
    for (k, seed) in s.seeds.enumerated() {
      guard let w = weights[k] else { continue }
      let type = t.tape.type(seed.node)
      sums.add(w.assumingMemoryBound(to: Double.self), t.values[roots[seed.output].i], type, truth.truths[truthRoots[seed.output].i], t)
    }
    f.value = sums.value
    f.corrected = sums.exact
    let miss = sums.error
    notes = ""
    contributions = []
    var wide = Double.infinity
    if let why = s.why {
      notes = "no adjoint sweep: \(why)"
    } else {
      wide = try swept(s, weights, t, &f)
    }
    settle(&f, t, miss, wide)
    try branches(s, weights, t, f)
    figures = f
  }

  /// The sweeps; gives what the shadow may be off by.
  func swept(_ s: Sweep, _ weights: [UnsafeRawPointer?], _ t: Unrolled, _ f: inout Figures) throws(Failure) -> Double {
    let pool = Pool(limit: memoryLimit), first = bounds.count
    let own: [UnsafeMutableRawPointer?], there: [UnsafeMutableRawPointer?]
    do {
      own = try adjoints(s, weights, atOwn: true, pool)
      there = try adjoints(s, weights, atOwn: false, pool)
    } catch where error.code == .derivative {
      notes = "no adjoint sweep: \(error.message)"
      return .infinity
    }
    var total = 0.0, squares = 0.0, signed = 0.0, shadow = 0.0, changed = 0.0, shadowTotal = 0.0, meant = 0.0
    var spots: [Int32: Int] = [:], list: [Site] = []
    f.condition = 0
    f.sensitivity = 0
    for (n, w) in s.pairs {
      func weight(_ at: [UnsafeMutableRawPointer?], _ o: Bool) -> UnsafeMutableRawPointer? { w.i >= first ? at[w.i - first] : base(w, o) }
      guard let a = weight(own, true), let b = weight(there, false) else { continue }
      let count = t.tape.type(n).count
      if t.tape.structural(n) == .input {
        guard let x = base(n, true) else { continue }
        let c = dot(a, x, count, t.quad)
        f.condition += c
        f.sensitivity += c * (Format(t.tape.dtype(n))?.unit ?? 0)
        continue
      }
      guard let e = bounds[n.i] else { continue }
      let p = weighed(a, deltas[n.i], e, count, t.quad), q = weighed(b, nil, e, count, t.quad)
      // What the wide run rounds does not underflow where the own one does.
      t.scratch.reset()
      guard let quiet = t.scratch.take(count * 8)?.assumingMemoryBound(to: Double.self) else { throw Failure(.memory, "rounding: memory was refused") }
      let tiny = Format(t.tape.dtype(n))?.tiny ?? 0
      for k in 0 ..< count { quiet[k] = max(e[k] - tiny, 0) }
      let near = weighed(a, deltas[n.i], quiet, count, t.quad), far = weighed(b, deltas[n.i], quiet, count, t.quad)
      if t.uncertain[n] != nil {
        if reading == 1 { meant += max(p.all, q.all) }
        total += p.all
        signed += p.signed
        shadow += max(p.all, q.all) * 0x1p-40
        continue
      }
      total += p.bound
      squares += p.squares
      signed += p.signed
      // What the wide run itself rounds: as the own one, in wide units.
      let u = Format(t.tape.dtype(n))?.unit ?? 0x1p-53
      let ratio = wideUnit(t.tape.op(n), t.quad) / u
      shadow += deltas[n.i] == nil ? max(p.all, q.all) : ratio * (max(near.all, far.all) + max(near.seen, far.seen))
      changed += abs(p.all - q.all)
      shadowTotal += p.all
      let place = t.sites[n.i]
      if place >= 0, p.bound > 0 || p.signed != 0 {
        if let k = spots[place] {
          list[k].signed += p.signed
          list[k].bound += p.bound
        } else {
          spots[place] = list.count
          list.append(Site(place: place, node: n, signed: p.signed, bound: p.bound))
        }
      }
    }
    f.condition = f.value == 0 ? .infinity : f.condition / abs(f.value)
    f.firstOrder = signed
    f.adjoint = 1.01 * total
    f.statistical = min(3 * squares.squareRoot(), f.adjoint)
    f.change = changed == 0 ? 0 : shadowTotal.isFinite && changed.isFinite ? changed / shadowTotal : .infinity
    for h in t.holes where s.pairs.contains(where: { $0.node == h.node }) {
      notes = h.why
      shadow = .infinity
    }
    rank(list, signed, total, t)
    return 2 * shadow + meant
  }

  /// How far an operator's wide result may lie from the exact one, relative to it.
  func wideUnit(_ op: OpCode, _ quad: Bool) -> Double { quad ? (isSummed(op) ? 0x1p-88 : 0x1p-110) : 0x1p-51 }

  private func isSummed(_ op: OpCode) -> Bool {
    guard op.isElementwise else { return op.structural.map(isLapack) ?? false }
    switch op.elementwise {
    case .unary(let u):
      switch u {
      case .erfcx, .erfinv, .erfcinv, .normal_quantile, .log_normal_cdf, .digamma, .i0, .i1, .i0e, .i1e, .lgamma, .gamma: return true
      default: return false
      }
    case .binary(let b):
      switch b {
      case .add, .sub, .mul, .div, .fmod, .mod, .floor_divide, .pow, .maximum, .minimum, .fmax, .fmin, .atan2, .hypot, .logaddexp, .logaddexp2, .xlogy, .xlog1py: return false
      default: return true
      }
    case .ternary(let q): return q == .betainc || q == .beta_density || q == .polygamma_drop
    }
  }

  /// Operators by how much smaller the error would be without theirs; those first that are to blame together.
  func rank(_ list: [Site], _ signed: Double, _ total: Double, _ t: Unrolled) {
    let first = culprits(list, signed, t), joined = Set(first)
    let sorted = descending(list.map { abs(signed) - abs(signed - $0.signed) }, list.map(\.bound)).filter { !joined.contains($0) }
    contributions = []
    let largest = first.map { abs(list[$0].signed) }
    for group in (first.isEmpty ? [] : [descending(largest, largest).map { first[$0] }]) + sorted.prefix(top).map({ [$0] }) where contributions.count < top {
      var members: [Member] = [], error = 0.0, bound = 0.0, inLoop = false
      for k in group {
        var place = t.places[Int(list[k].place)]
        let (op, label) = (place.op, place.label)
        while place.outer >= 0 {
          place = t.places[Int(place.outer)]
          inLoop = true
        }
        members.append(Member(node: place.node, op: op, error: list[k].signed, label: label))
        error += list[k].signed
        bound += list[k].bound
      }
      contributions.append(Contribution(node: members[0].node, op: members[0].op, inLoop: inLoop, error: error, bound: bound, share: total > 0 ? bound / total : 0,
                                        condition: condition(t, list[group[0]].node), members: members))
    }
  }
  struct Site { let place: Int32, node: NodeID; var signed: Double, bound: Double }

  /// The fewest without which the error is at most half: one node; all that one operator of the host's makes, with its derivatives; all of one kind; two of these.
  func culprits(_ list: [Site], _ total: Double, _ t: Unrolled) -> [Int] {
    func rest(_ s: Double) -> Double { abs(total - s) }
    let half = abs(total) * 0.4999
    guard total != 0, half.isFinite, let one = list.indices.min(by: { rest(list[$0].signed) < rest(list[$1].signed) }) else { return [] }
    if rest(list[one].signed) <= half || list.count > 1 << 20 { return [one] }
    var groups: [(sum: Double, members: [Int])] = [], index: [UInt64: Int] = [:]
    for k in list.indices {
      let p = t.places[Int(list[k].place)]
      for key in [UInt64(p.op.raw) | 1 << 63, UInt64(UInt32(bitPattern: p.outer &+ 1)) << 32 | UInt64(UInt32(bitPattern: p.origin.index))] {
        let at = index[key] ?? groups.count
        index[key] = at
        if at == groups.count { groups.append((0, [])) }
        groups[at].sum += list[k].signed
        groups[at].members.append(k)
      }
    }
    if let g = groups.filter({ rest($0.sum) <= half }).min(by: { ($0.members.count, rest($0.sum)) < ($1.members.count, rest($1.sum)) }) { return g.members }
    groups += list.indices.map { (list[$0].signed, [$0]) }
    let sizes = groups.map { abs($0.sum) }
    groups = descending(sizes, sizes).prefix(96).map { groups[$0] }
    var best: [Int] = [one], least = Int.max
    for (i, a) in groups.enumerated() { for b in groups[..<i] where a.members.count + b.members.count < least && rest(a.sum + b.sum) <= half && Set(a.members).isDisjoint(with: b.members) {
      best = a.members + b.members
      least = best.count
    } }
    return best
  }

  func condition(_ t: Unrolled, _ n: NodeID) -> Double {
    let op = t.tape.op(n)
    guard t.quad, op.isElementwise, t.tape.dtype(n).isFloat else { return .nan }
    var p: [UnsafeRawPointer?] = [nil, nil, nil], most = Double.nan
    let x = t.tape.inputs(n)
    for (i, m) in x.enumerated() { p[i] = base(m, true).map { UnsafeRawPointer($0) } }
    guard x.allSatisfy({ t.tape.dtype($0).isFloat }) else { return .nan }
    for slot in x.indices {
      let k = ck_quad_condition(Int32(op.raw), Int32(slot), p[0], p[1], p[2], t.tape.type(n).count)
      if !(k <= most) { most = k == k ? k : most }
    }
    return most
  }

  /// From what is known to what is said.
  func settle(_ f: inout Figures, _ t: Unrolled, _ miss: Double, _ wide: Double) {
    f.estimate = miss
    f.remainder = wide
    let straight = t.turned.isEmpty && !turns(t)
    if !f.value.isFinite {
      f.bound = .infinity
      f.level = .unbounded
      if notes.isEmpty { notes = f.value != f.value ? "the result is a NaN" : f.corrected.isFinite ? "the result overflowed; without rounding it would be \(f.corrected)" : "the result is infinite" }
      return
    }
    let first = straight && f.change <= 0.25 ? f.adjoint : .infinity
    let shadow = miss == miss && wide == wide ? abs(miss) * (1 + 0x1p-40) + wide : .infinity
    if f.adjoint == 0, straight, miss == 0 {
      f.bound = 0
      f.level = .exact
    } else if shadow <= first, shadow.isFinite {
      f.bound = shadow
      f.level = .shadow
    } else if first.isFinite {
      f.bound = first
      f.level = .bound
    } else {
      f.bound = .infinity
      f.level = .unbounded
      if notes.isEmpty { notes = f.change > 0.25 ? "the weights change by more than a quarter between the rounded and the exact point" : "the exact result is not finite here" }
    }
  }
  func turns(_ t: Unrolled) -> Bool { t.close.contains { turned(t, $0.node) } }
  func turned(_ t: Unrolled, _ n: NodeID) -> Bool { t.values[n.i] != t.truths[n.i] }

  /// Comparisons that rounding may turn, with what the result would be.
  func branches(_ s: Sweep, _ weights: [UnsafeRawPointer?], _ t: Unrolled, _ f: Figures) throws(Failure) {
    unstable = []
    for c in t.close {
      var other = Double.nan
      if others_[c.node] == nil, others_.count < others, let flags = t.closeFlags[c.node] {
        do { others_[c.node] = try traced(.wide, quad: t.quad, flip: c.node, flags) } catch where error.code == .memory { throw error } catch { notes = error.message }
      }
      if let (o, y) = others_[c.node] {
        let sums = Sums(t.quad)
        for (k, seed) in s.seeds.enumerated() {
          guard let w = weights[k] else { continue }
          sums.add(w.assumingMemoryBound(to: Double.self), nil, t.tape.type(seed.node), o.truths[y[seed.output].i], o)
        }
        other = sums.exact
        // The branch that the wide run takes is the exact one: then the other is the rounded one.
        if turned(t, c.node) { other = f.corrected }
      }
      var place = t.sites[c.node.i] >= 0 ? t.places[Int(t.sites[c.node.i])] : Unrolled.Place(outer: -1, node: .none, op: t.tape.op(c.node), origin: .none, label: nil)
      let (op, label) = (place.op, place.label)
      while place.outer >= 0 { place = t.places[Int(place.outer)] }
      unstable.append(Unstable(node: place.node, op: op, elements: c.elements, turns: turned(t, c.node), label: label, other: other))
    }
  }

  func dot(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ n: Int, _ quad: Bool) -> Double {
    if quad { return ck_quad_dot(a, b, n) }
    let p = a.assumingMemoryBound(to: Double.self), q = b.assumingMemoryBound(to: Double.self)
    var sum = 0.0
    for i in 0 ..< n { let k = abs(p[i] * q[i]); if k == k { sum += k } }
    return sum
  }
  func weighed(_ w: UnsafeRawPointer, _ d: UnsafeRawPointer?, _ e: UnsafeMutablePointer<Double>, _ n: Int, _ quad: Bool) -> (signed: Double, bound: Double, squares: Double, all: Double, seen: Double) {
    if quad {
      var s = (0.0, 0.0, 0.0, 0.0, 0.0)
      withUnsafeMutableBytes(of: &s) { p in
        if let q = p.baseAddress { ck_quad_weigh(w, d, e, n, q.assumingMemoryBound(to: Double.self)) }
      }
      return (s.0, s.1, s.2, s.4, s.3)
    }
    let p = w.assumingMemoryBound(to: Double.self), q = d?.assumingMemoryBound(to: Double.self)
    var r = (signed: 0.0, bound: 0.0, squares: 0.0, all: 0.0, seen: 0.0)
    for i in 0 ..< n where p[i] != 0 && !(e[i] == 0 && (q.map { $0[i] == 0 } ?? true)) {
      let b = abs(p[i]) * e[i]
      r.all += b
      if let q {
        if q[i] == 0 { continue }
        r.signed += p[i] * q[i]
        r.seen += abs(p[i] * q[i])
      }
      r.bound += b
      r.squares += b * b
    }
    return r
  }
}

/// Weighted sums of outputs, own and wide, and their difference, in f64 with an exact head: weights are few.
private final class Sums {
  let quad: Bool
  var value = 0.0, exact = 0.0, error = 0.0
  init(_ q: Bool) { quad = q }

  func add(_ w: UnsafePointer<Double>, _ v: UnsafeMutableRawPointer?, _ type: TensorType, _ x: UnsafeMutableRawPointer?, _ t: Unrolled) {
    let pool = Pool(limit: 1 << 40), n = type.count
    guard n > 0, let x, let own = pool.take(n * 8)?.assumingMemoryBound(to: Double.self), let wide = pool.take(n * 8)?.assumingMemoryBound(to: Double.self),
          let near = pool.take(t.wide.bytes(type)), let d = pool.take(t.wide.bytes(type)), let miss = pool.take(n * 8)?.assumingMemoryBound(to: Double.self) else { return }
    func low(_ p: UnsafeRawPointer, _ to: UnsafeMutablePointer<Double>) {
      if quad { ck_quad_to(p, to, n) } else { to.update(from: p.assumingMemoryBound(to: Double.self), count: n) }
    }
    low(x, wide)
    if let v {
      t.wide.convert(type.dtype, v, type.dtype, near, n)
      low(near, own)
      if quad { ck_quad_sub(near, x, d, n) } else {
        let a = near.assumingMemoryBound(to: Double.self), b = x.assumingMemoryBound(to: Double.self), c = d.assumingMemoryBound(to: Double.self)
        for i in 0 ..< n { c[i] = a[i] == b[i] ? 0 : a[i] - b[i] }
      }
      low(d, miss)
    }
    for i in 0 ..< n where w[i] != 0 {
      exact += w[i] * wide[i]
      if v != nil {
        value += w[i] * own[i]
        error += w[i] * miss[i]
      }
    }
  }
}

/// Places by falling key, then falling second key, then as they stand. Heapsort: a sort by closure is a kilobyte each.
func descending(_ a: [Double], _ b: [Double]) -> [Int] {
  var p = Array(a.indices)
  func before(_ i: Int, _ j: Int) -> Bool { a[i] != a[j] ? a[i] > a[j] : b[i] != b[j] ? b[i] > b[j] : i < j }
  func sink(_ from: Int, _ end: Int) {
    var i = from
    while 2 * i + 1 < end {
      var c = 2 * i + 1
      if c + 1 < end, before(p[c], p[c + 1]) { c += 1 }
      if !before(p[i], p[c]) { return }
      p.swapAt(i, c)
      i = c
    }
  }
  for i in stride(from: p.count / 2 - 1, through: 0, by: -1) { sink(i, p.count) }
  for end in stride(from: p.count - 1, to: 0, by: -1) {
    p.swapAt(0, end)
    sink(0, end)
  }
  return p
}

func log2_(_ x: Double) -> Double {
  var a = x, r = 0.0
  ck_row_kernel(Int32(OpCode(Unary.log2).raw), DType.f64.rawValue)?(&a, nil, nil, &r, 1)
  return r
}
