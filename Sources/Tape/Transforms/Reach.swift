import CKernels

/// What depends on what in a loop's body, carries fed back: fixpoints in one pass over the edges.
extension Tape {
  /// Which inputs and outputs of a body a change of `seeds` reaches. With `floats`, a change passes through float values alone.
  /// Memory that is refused is the failure of the body's tape.
  func spread(_ b: Body, carries: Int, _ seeds: [Bool], floats: Bool) -> (inputs: [Bool], outputs: [Bool]) {
    let t = b.tape
    var on = seeds
    guard let nodes = t.order(b.outputs), let users = Users(t, nodes), var marked = PerNode<UInt8>(t, 0) else {
      _ = t.outOfMemory()
      return (seeds, b.outputs.map { _ in false })
    }
    var fed: [NodeID: [Int]] = [:], work = Buffer<NodeID>(), grown = true
    for i in 0 ..< carries { fed[b.outputs[i], default: []].append(i) }
    func mark(_ n: NodeID) {
      if marked[n] != 0 { return }
      marked[n] = 1
      grown = work.append(n) && grown
    }
    for (n, s) in zip(b.inputs, on) where s { mark(n) }
    while work.count > 0 {
      let n = work[work.count - 1]
      work.removeLast()
      for i in fed[n] ?? [] where !on[i] {
        on[i] = true
        mark(b.inputs[i])
      }
      users.each(n) { u in
        let type = t.record(u).type
        if !floats || type < 0 || t.types[Int(type)].dtype.isFloat { mark(u) }
      }
    }
    if !grown { _ = t.outOfMemory() }
    return (on, b.outputs.map { marked[$0] != 0 })
  }

  /// Of a scan's members those that are `read`, and the carries that these depend on.
  func scanNeeded(_ n: NodeID, _ read: [Bool]) -> [Bool] {
    let s = scanShape(n), C = s.carries, outs = s.body.outputs
    let others = outs.indices.dropFirst(C).filter { read[$0] }.map { outs[$0] }
    let carries = s.body.tape.comesBack(Array(s.body.inputs[..<C]), Array(outs[..<C]), on: outs[..<C].map { _ in true }, live: Array(read[..<C]), others: others, floats: false)
    return carries + read[C...]
  }

  /// Which of `on`, the carries given as inputs and outputs of this tape, a cotangent of the `live` ones or of `others` gets back to.
  func comesBack(_ ins: [NodeID], _ outs: [NodeID], on: [Bool], live: [Bool], others: [NodeID], floats: Bool = true) -> [Bool] {
    guard var seen = PerNode<UInt8>(self, 0), var carry = PerNode<Int32>(self, -1) else { return live }
    var live = live, work = Buffer<NodeID>(), grown = true
    for (i, n) in ins.enumerated() { carry[n] = Int32(i) }
    func visit(_ n: NodeID) {
      let r = record(n)
      if seen[n] != 0 || floats && carry[n] < 0 && r.type >= 0 && !types[Int(r.type)].dtype.isFloat { return }
      seen[n] = 1
      grown = work.append(n) && grown
    }
    for n in others { visit(n) }
    for (i, n) in outs.enumerated() where live[i] { visit(n) }
    while work.count > 0 {
      let n = work[work.count - 1], r = record(n), i = Int(carry[n])
      work.removeLast()
      if i >= 0 {
        if on[i], !live[i] {
          live[i] = true
          visit(outs[i])
        }
        continue
      }
      for slot in 0 ..< Int(r.arity) { visit(input(of: r, slot)) }
    }
    if !grown { _ = outOfMemory() }
    return live
  }

  /// What `outputs` read that is dearer to compute again than to keep, among the nodes before `end`: products over long axes, and
  /// solutions. A sum to which one is added that nothing else reads is kept in its place.
  func worthKeeping(_ outputs: [NodeID], before end: Int32) -> [NodeID] {
    guard var seen = PerNode<UInt8>(self, 0), var readers = PerNode<Int32>(self, 0) else { return [] }
    var kept: [NodeID] = [], sums: [NodeID] = [], stack = Buffer<NodeID>(), grown = true
    func visit(_ n: NodeID) {
      readers[n] += 1
      if seen[n] != 0 { return }
      seen[n] = 1
      grown = stack.append(n) && grown
    }
    for n in outputs { visit(n) }
    while stack.count > 0 {
      let n = stack[stack.count - 1], r = record(n)
      stack.removeLast()
      if n.index < end, isDear(n, r) {
        kept.append(n)
        seen[n] = 2
        continue
      }
      if n.index < end, r.op == OpCode(Binary.add).raw { sums.append(n) }
      for slot in 0 ..< Int(r.arity) { visit(input(of: r, slot)) }
    }
    if !grown { _ = outOfMemory() }
    var gone = Set<NodeID>()
    for n in sums.sorted(by: { $0.index < $1.index }) {
      let a = input(n, 0), b = input(n, 1)
      let alone = [a, b].filter { seen[$0] == 2 && readers[$0] == 1 && type($0) == type(n) }
      guard a != b, !alone.isEmpty else { continue }
      gone.formUnion(alone)
      seen[n] = 2
      kept.append(n)
    }
    return kept.filter { !gone.contains($0) }.sorted { $0.index < $1.index }
  }

  /// Above some 64 operations an element, memory is the cheaper.
  private func isDear(_ n: NodeID, _ r: Record) -> Bool {
    switch Structural(rawValue: r.op) {
    case .matmul:
      let a = shape(input(of: r, 0))
      return a[a.count - 1 - attrs(n)[0]] >= 32
    case .conv:
      let w = shape(input(of: r, 1))
      return w.suffix(ConvAttrs(attrs(n)).rank + 1).reduce(1, &*) >= 32
    case .part: return structural(input(of: r, 0)) == .host || structural(input(of: r, 0)) == .custom
    case let s?: return isLapack(s)
    case nil: return false
    }
  }
}

/// The users of each node.
private struct Users: ~Copyable {
  private var start: PerNode<Int32>
  private var list: Buffer<NodeID>

  init?(_ t: Tape, _ nodes: borrowing Buffer<NodeID>) {
    var list = Buffer<NodeID>(), total = 0
    for k in 0 ..< nodes.count { total += t.arity(nodes[k]) }
    guard total < Int(Int32.max), list.resize(total, filling: .none), var start = PerNode<Int32>(t, 0) else { return nil }
    for k in 0 ..< nodes.count {
      let r = t.record(nodes[k])
      for slot in 0 ..< Int(r.arity) { start[t.input(of: r, slot)] += 1 }
    }
    // First where each list ends; filling it from behind leaves where it begins.
    var end: Int32 = 0
    for i in 0 ..< start.count {
      end += start[NodeID(i)]
      start[NodeID(i)] = end
    }
    for k in 0 ..< nodes.count {
      let r = t.record(nodes[k])
      for slot in 0 ..< Int(r.arity) {
        let x = t.input(of: r, slot)
        start[x] -= 1
        list[Int(start[x])] = nodes[k]
      }
    }
    self.start = start
    self.list = list
  }

  func each(_ n: NodeID, _ body: (NodeID) -> Void) {
    let end = n.i + 1 < start.count ? Int(start[NodeID(n.i + 1)]) : list.count
    for i in Int(start[n]) ..< end { body(list[i]) }
  }
}
