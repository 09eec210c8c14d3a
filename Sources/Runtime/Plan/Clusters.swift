import CKernels
import Tape

/// A step of the run before it has code: members in order.
struct StepInfo: BitwiseCopyable {
  var kind: Kind
  var stage: UInt8
  var start: Int32 = 0, count: Int32 = 0
  /// Place among the steps of a run.
  var time: Int32 = -1
  /// Values read and written: ranges of `Structure.reads` and `Structure.writes`.
  var readStart: Int32 = 0, readCount: Int32 = 0
  var writeStart: Int32 = 0, writeCount: Int32 = 0
}

/// Items grouped into steps, and the steps in the order in which they run.
///
/// Clusters are connected elementwise nodes of equal element count, stage and level, with the concats that their results go into; all scalars of a stage and level are one
/// cluster. Since a path out of a cluster ends on a higher level, none comes back, and the steps form no cycle.
struct Clusters: ~Copyable {
  var steps: List<StepInfo>
  /// Positions by step, ascending.
  private(set) var members: Memory<Int32>
  /// Step numbers by time; stage k's are stageStart[k] ..< stageStart[k + 1].
  var schedule: List<Int32>
  var stageStart: [Int]

  static func make(_ g: Graph) throws(Failure) -> Clusters {
    let none = try Memory<Int32>(0, filling: 0)
    var c = Clusters(members: none)
    try c.build(g)
    return c
  }

  private mutating func build(_ g: Graph) throws(Failure) {
    let items = g.items, n = g.count
    try Clusters.group(g)
    // Steps are numbered by their first member.
    for p in 0 ..< n {
      switch items[p].kind {
      case .scalar, .block:
        let head = Int(items[p].step)
        if head == p {
          items[p].step = Int32(steps.count)
          try steps.add(StepInfo(kind: items[p].kind, stage: items[p].stage))
        } else {
          items[p].step = items[head].step   // heads come first
        }
      case .kernel, .scan, .call:
        items[p].step = Int32(steps.count)
        try steps.add(StepInfo(kind: items[p].kind, stage: items[p].stage))
      default: continue
      }
      steps.p.unsafelyUnwrapped[Int(items[p].step)].count += 1
    }
    var total: Int32 = 0
    for s in 0 ..< steps.count {
      steps[s].start = total
      total += steps[s].count
      steps[s].count = 0
    }
    members = try Memory(unset: Int(total))
    if let s = steps.p {
      let list = members.p
      for p in 0 ..< n where items[p].step >= 0 && items[p].kind != .part {
        let q = s + Int(items[p].step)
        list[Int(q.pointee.start + q.pointee.count)] = Int32(p)
        q.pointee.count += 1
      }
    }
    if g.groups != nil {
      // Members of several widths, or reductions among them: row by row.
      for s in 0 ..< steps.count where steps[s].kind == .block {
        let first = g.span(Int(members[Int(steps[s].start)]))
        for m in Int(steps[s].start) ..< Int(steps[s].start + steps[s].count) where g.items[Int(members[m])].folds || g.span(Int(members[m])) != first { steps[s].kind = .rows }
      }
    }
    for p in 0 ..< n where items[p].kind == .part { items[p].step = items[g.operand(g.record(p), 0)].step }
    try order(g)
  }

  private init(members: Memory<Int32>) {
    steps = List()
    self.members = members
    schedule = List()
    stageStart = []
  }

  /// Leaves in `step` of each elementwise item the first position of its cluster.
  private static func group(_ g: Graph) throws(Failure) {
    let items = g.items, stages = g.stages.count
    let heads = try Memory<Int32>((Int(g.maxLevel) + 1) * stages, filling: -1)
    func find(_ p: Int32) -> Int32 {
      var q = p
      while items[Int(q)].step != q {
        items[Int(q)].step = items[Int(items[Int(q)].step)].step
        q = items[Int(q)].step
      }
      return q
    }
    for p in 0 ..< g.count {
      if items[p].kind == .scalar {
        let h = Int(items[p].level) * stages + Int(items[p].stage)
        if heads[h] < 0 { heads[h] = Int32(p) }
        items[p].step = heads[h]
      } else if items[p].kind == .block {
        items[p].step = Int32(p)
        let r = g.record(p)
        for k in 0 ..< Int(r.arity) {
          let o = g.operand(r, k), q = Int(items[o].root)
          guard items[q].kind == .block, g.joins(p, o), items[q].level == items[p].level else { continue }
          let a = find(Int32(p)), b = find(Int32(q))
          if a < b { items[Int(b)].step = a } else { items[Int(a)].step = b }
        }
      }
    }
    for p in 0 ..< g.count where items[p].kind == .block { items[p].step = find(Int32(p)) }
  }

  /// Depth first from the outputs, over steps; then by stage.
  private mutating func order(_ g: Graph) throws(Failure) {
    let items = g.items, n = steps.count
    // Edges to the steps read, in member and slot order.
    let start = try Memory<Int32>(n + 1, filling: 0)
    var edges = List<Int32>()
    for s in 0 ..< n {
      start[s] = Int32(edges.count)
      for m in 0 ..< Int(steps[s].count) {
        let r = g.record(Int(members[Int(steps[s].start) + m]))
        for k in 0 ..< Int(r.arity) {
          let t = items[g.home(Int(items[g.operand(r, k)].root))].step
          if t >= 0, t != Int32(s) { try edges.add(t) }
          for q in g.tokens.isEmpty ? [] : g.tokens[g.operand(r, k)] ?? [] {
            let t = items[g.home(q)].step
            if t >= 0, t != Int32(s) { try edges.add(t) }
          }
        }
      }
    }
    start[n] = Int32(edges.count)
    let state = try Memory<UInt8>(n, filling: 0)
    var stack = List<(Int32, Int32)>(), all = List<Int32>()
    for stage in g.stages {
      for o in stage.outputs {
        let s = items[g.home(Int(items[Int(g.position[o.i])].root))].step
        if s < 0 || state[Int(s)] != 0 { continue }
        state[Int(s)] = 1
        try stack.add((s, start[Int(s)]))
        while !stack.isEmpty {
          let (t, e) = stack[stack.count - 1]
          if e == start[Int(t) + 1] {
            _ = stack.pop()
            try all.add(t)
            continue
          }
          stack[stack.count - 1] = (t, e + 1)
          let u = edges[Int(e)]
          if state[Int(u)] == 0 {
            state[Int(u)] = 1
            try stack.add((u, start[Int(u)]))
          }
        }
      }
    }
    try advance(g, &all, start, edges)
    for k in 0 ..< g.stages.count {
      stageStart.append(schedule.count)
      for i in 0 ..< all.count where Int(steps[Int(all[i])].stage) == k {
        steps[Int(all[i])].time = Int32(schedule.count)
        try schedule.add(all[i])
      }
    }
    stageStart.append(schedule.count)
  }

  /// Steps that free at least what they make run as soon as their operands are there: products for gradients of weights, which nothing else waits for, would
  /// else keep every activation until the end. Those that may write an output over the input that they read stay where they are.
  private func advance(_ g: Graph, _ all: inout List<Int32>, _ start: Memory<Int32>, _ edges: borrowing List<Int32>) throws(Failure) {
    let n = all.count, items = g.items
    if n < 3 || !(0 ..< steps.count).contains(where: { steps[$0].kind == .kernel }) { return }
    let index = try Memory<Int32>(steps.count, filling: -1), major = try Memory<Int32>(steps.count, filling: -1)
    for i in 0 ..< n { index[Int(all[i])] = Int32(i) }
    // By value: the last step that reads it, where that is another than its own; the latest place among its readers; whether it is an output.
    let last = try Memory<Int32>(g.count, filling: -1), latest = try Memory<Int32>(g.count, filling: -1), seen = try Memory<Int32>(g.count, filling: -1)
    let output = try Memory(g.count, filling: false)
    for s in g.stages { for o in s.outputs { output[g.home(Int(items[Int(g.position[o.i])].root))] = true } }
    func operands(_ s: Int, _ f: (Int) -> Void) {
      for m in 0 ..< Int(steps[s].count) {
        let r = g.record(Int(members[Int(steps[s].start) + m]))
        for k in 0 ..< Int(r.arity) { f(g.home(Int(items[g.operand(r, k)].root))) }
      }
    }
    for i in 0 ..< n {
      let s = Int(all[i])
      operands(s) { if items[$0].step != Int32(s) { last[$0] = Int32(i) } }
    }
    let narrow = try narrowed(g, all, last, output)
    var any = false
    for i in 0 ..< n {
      let s = Int(all[i]), kind = steps[s].kind
      var place: Int32 = 0, freed = 0, made = 0, over = false
      for e in start[s] ..< start[s + 1] { place = max(place, major[Int(edges[Int(e)])]) }
      if kind == .kernel || kind == .block || kind == .rows {
        operands(s) { h in
          if seen[h] == Int32(s) { return }
          seen[h] = Int32(s)
          switch items[h].kind {
          case .host: over = over || kind != .kernel
          case .constant, .array: break
          default: if items[h].step != Int32(s), last[h] == Int32(i), latest[h] <= place, !output[h] { freed += g.elements(h) * Int(size(g.dtype(h))) }
          }
        }
        var out = false
        for m in 0 ..< Int(steps[s].count) {
          let p = Int(members[Int(steps[s].start) + m])
          if output[p] { out = true } else if last[p] >= 0 { made += g.elements(p) * Int(size(g.dtype(p))) }
        }
        over = over && out
      }
      if let wide = narrow[Int32(i)] {
        major[s] = wide < 0 ? place : max(place, major[Int(all[Int(wide)])])
      } else {
        major[s] = freed > made && !over ? place : Int32(i)
      }
      any = any || major[s] < Int32(i)
      operands(s) { latest[$0] = max(latest[$0], major[s]) }
    }
    if !any { return }
    let order = (0 ..< n).map { all[$0] }.sorted { (major[Int($0)], index[Int($0)]) < (major[Int($1)], index[Int($1)]) }
    for i in 0 ..< n { all[i] = order[i] }
  }

  /// Steps that make something small of one array and alone read it late: masks for the way back. They follow the last other reader of that array, given
  /// by place (-1: the step that makes it), so that it is not kept for them.
  private func narrowed(_ g: Graph, _ all: borrowing List<Int32>, _ last: Memory<Int32>, _ output: Memory<Bool>) throws(Failure) -> [Int32: Int32] {
    let items = g.items, wide = try Memory<Int32>(g.count, filling: -1), sum = try Memory(g.count, filling: 0)
    var found: [(step: Int32, of: Int, made: Int)] = []
    for i in 0 ..< all.count {
      let s = Int(all[i])
      var one = -1, made = 0, small = steps[s].kind == .block, reads: [Int] = []
      for m in 0 ..< Int(steps[s].count) {
        let p = Int(members[Int(steps[s].start) + m]), r = g.record(p)
        for k in 0 ..< Int(r.arity) {
          let o = g.operand(r, k), h = g.home(Int(items[o].root))
          if items[h].kind == .host || items[h].kind == .constant || items[h].kind == .array || items[h].step == Int32(s) { continue }
          reads.append(h)
          if one < 0 { one = h } else if one != h { small = false }
          small = small && g.tokens[o] == nil
        }
        if output[p] { small = false } else if last[p] >= 0 { made += g.elements(p) * Int(size(g.dtype(p))) }
      }
      if small, one >= 0, items[one].kind == .block || items[one].kind == .kernel, !output[one], made * 4 <= g.elements(one) * Int(size(g.dtype(one))), made > 0 {
        found.append((Int32(i), one, made))
        sum[one] += made
      } else {
        for h in reads { wide[h] = max(wide[h], Int32(i)) }
      }
    }
    var places: [Int32: Int32] = [:]
    for f in found where sum[f.of] <= g.elements(f.of) * Int(size(g.dtype(f.of))) && f.step > wide[f.of] && last[f.of] > wide[f.of] { places[f.step] = wide[f.of] }
    return places
  }
}
