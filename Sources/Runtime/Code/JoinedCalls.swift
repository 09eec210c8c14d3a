import CKernels
import Machine
import Tape

/// An order of a scalar step's members in which calls of one function stand together, each such run one call of its kernel on adjacent slots. What a
/// later call needs is computed before the first; no call waits for one beside it, since each lies as many calls behind the step's beginning.
struct JoinedCalls {
  /// The members anew, and by place in it how many calls begin there that are made at once, 0: this one alone.
  let members: Memory<Int32>, together: Memory<UInt8>
  static let most = 16
  /// Calls farther apart stay apart: code as long as data has its numbers in the caches.
  private static var near: Int { 2000 }

  /// Whether a member is a call that may be one of several: a function of one f64, which neither back end computes by itself.
  static func takes(_ g: Graph, _ p: Int) -> Bool {
    let r = g.record(p)
    return r.arity == 1 && Int(r.op) < Rows.count && g.dtype(p) == 0 && called[Int(r.op)]   // or a cast
  }
  private static let called: [Bool] = (0 ..< Rows.count).map { row in
    let code = Rows.codes[row * 7]
    return code >= 0 && ck_row_arity(Int32(row)) == 1 && ck_row_class(Int32(row)) == .FLOAT && MachineCode.calls(code)
  }

  /// Nil where no two calls can be made at once. `place` is room for all positions; what it holds of others than members is not looked at, of members it holds -1 afterwards.
  static func make(_ g: Graph, _ members: UnsafeMutablePointer<Int32>, _ count: Int, place: UnsafeMutablePointer<Int32>) throws(Failure) -> JoinedCalls? {
    var calls = 0
    for m in 0 ..< count where takes(g, Int(members[m])) { calls += 1 }
    if calls < 2 { return nil }
    return try JoinedCalls(g, members, count, place)
  }

  private init?(_ g: Graph, _ old: UnsafeMutablePointer<Int32>, _ count: Int, _ place: UnsafeMutablePointer<Int32>) throws(Failure) {
    // By member: how many calls lie behind it; the first of its run and the next one in it, -1 for none.
    let level = try Memory<Int32>(count, filling: 0), first = try Memory<Int32>(count, filling: -1), next = try Memory<Int32>(count, filling: -1)
    let members = try Memory<Int32>(count, filling: 0), together = try Memory<UInt8>(count, filling: 0)
    for m in 0 ..< count { place[Int(old[m])] = Int32(m) }
    defer { for m in 0 ..< count { place[Int(old[m])] = -1 } }
    // The runs that may grow, one of a function and level: by level the first, then `behind`; by run its last member and how many there are.
    let open = try Memory<Int32>(count, filling: -1), behind = try Memory<Int32>(count, filling: -1), last = try Memory<Int32>(count, filling: 0)
    let size = try Memory<Int32>(count, filling: 1)
    var any = false
    func memberOf(_ q: Int32) -> Int? {
      let m = place[Int(q)]
      return m >= 0 && Int(m) < count && old[Int(m)] == q ? Int(m) : nil
    }
    for m in 0 ..< count {
      let p = Int(old[m]), r = g.record(p)
      var l = 0
      for k in 0 ..< Int(r.arity) {
        if let q = memberOf(g.items[g.operand(r, k)].root) { l = max(l, Int(level[q])) }
      }
      guard JoinedCalls.takes(g, p) else {
        level[m] = Int32(l)
        continue
      }
      level[m] = Int32(l + 1)
      var run = Int(open[l]), before = -1
      while run >= 0, g.record(Int(old[run])).op != r.op { (before, run) = (run, Int(behind[run])) }
      if run >= 0, Int(size[run]) < JoinedCalls.most, m - run < JoinedCalls.near {
        first[run] = Int32(run)
        first[m] = Int32(run)
        next[Int(last[run])] = Int32(m)
        last[run] = Int32(m)
        size[run] += 1
        any = true
        continue
      }
      // A new one, in the place of the one that is full.
      last[m] = Int32(m)
      if run >= 0 { behind[m] = behind[run] }
      if before >= 0 { behind[before] = Int32(m) } else { open[l] = Int32(m) }
    }
    if !any { return nil }
    var done = 0, stack = List<Int32>()
    // Of the old order, where it went; -1: not yet.
    for m in 0 ..< count { level[m] = -1 }
    func waits(_ m: Int) throws(Failure) -> Bool {
      let r = g.record(Int(old[m]))
      var some = false
      for k in 0 ..< Int(r.arity) {
        if let q = memberOf(g.items[g.operand(r, k)].root), level[q] < 0 {
          try stack.add(Int32(q))
          some = true
        }
      }
      return some
    }
    func put(_ m: Int) {
      level[m] = Int32(done)
      members[done] = old[m]
      done += 1
    }
    for m in 0 ..< count where level[m] < 0 {
      try stack.add(Int32(m))
      while !stack.isEmpty {
        let t = Int(stack[stack.count - 1])
        if level[t] >= 0 {
          _ = stack.pop()
          continue
        }
        if first[t] < 0 {
          if try !waits(t) { put(t) }
          continue
        }
        var some = false, n = 0, k = Int(first[t])
        while k >= 0 {
          if try waits(k) { some = true }
          (n, k) = (n + 1, Int(next[k]))
        }
        if some { continue }
        together[done] = UInt8(n)
        k = Int(first[t])
        while k >= 0 {
          put(k)
          k = Int(next[k])
        }
      }
    }
    self.members = members
    self.together = together
  }
}
