/// Which pass of a transform made a node: of none, of forward or of reverse mode, or a rewriting that keeps values.
package enum Sweep: Int32, Sendable { case none = 0, forward, reverse, copy }

/// What the host calls a place. Of a node copied from another tape also the sweep that had made it there, and of which operator.
package struct Label: Hashable {
  package var text: String, file: String
  package var line: Int32
  var sweep: Int32 = 0
  var op: UInt16 = 0
  package init(text: String, file: String, line: Int32) { (self.text, self.file, self.line) = (text, file, line) }
  init(text: String, file: String, line: Int32, sweep: Int32, op: UInt16) {
    self.init(text: text, file: file, line: line)
    (self.sweep, self.op) = (sweep, op)
  }
}

/// Where a node comes from: its own place or that of the node it was derived from, through every transform.
package struct Origin {
  /// The node of the host's; `sweep` is what made the given one out of it.
  package var node: NodeID
  package var sweep: Sweep
  package var label: Label?
  /// The operator of `node`, or of the one behind it on the tape that it was copied from.
  package var op: OpCode
}

/// Places and origins of the nodes of a tape, as runs of nodes recorded one after another: recording itself does not look here.
package final class Labels {
  private struct Span: BitwiseCopyable { var start: Int32, label: Int32 }
  private struct Source: BitwiseCopyable { var start: Int32, node: Int32, sweep: Int32 }
  private var spans = Buffer<Span>(), sources = Buffer<Source>()
  private var list: [Label] = []
  private var index: [Label: Int32] = [:]
  /// Labels that nodes were given one by one.
  private var own: [Int32: [Int32]] = [:]
  private var carried: (from: Int32, sweep: Int32, op: UInt16, to: Int32) = (-1, 0, 0, -1)

  var isUsed: Bool { spans.count > 0 || sources.count > 0 || !own.isEmpty }
  /// The source that nodes recorded now have.
  var current: (node: Int32, sweep: Int32) { sources.count > 0 ? (sources[sources.count - 1].node, sources[sources.count - 1].sweep) : (-1, 0) }

  private func intern(_ l: Label) -> Int32 {
    if let i = index[l] { return i }
    let i = Int32(list.count)
    list.append(l)
    index[l] = i
    return i
  }

  /// Nodes from `count` on come from `node`.
  @inline(__always) func source(_ count: Int, _ node: Int32, _ sweep: Sweep) {
    let k = sources.count
    if k > 0 {
      let last = sources[k - 1]
      if last.node == node && last.sweep == sweep.rawValue { return }
      if Int(last.start) == count {
        sources[k - 1] = Source(start: last.start, node: node, sweep: sweep.rawValue)
        return
      }
    } else if node < 0 {
      return
    }
    // Without memory a place is lost, nothing else.
    _ = sources.append(Source(start: Int32(truncatingIfNeeded: count), node: node, sweep: sweep.rawValue))
  }
  func restore(_ count: Int, _ s: (node: Int32, sweep: Int32)) { source(count, s.node, Sweep(rawValue: s.sweep) ?? .none) }

  private func span(_ count: Int, _ label: Int32) {
    let k = spans.count
    if k > 0 {
      if spans[k - 1].label == label { return }
      if Int(spans[k - 1].start) == count {
        spans[k - 1].label = label
        return
      }
    } else if label < 0 {
      return
    }
    _ = spans.append(Span(start: Int32(truncatingIfNeeded: count), label: label))
  }

  func from(_ count: Int, _ l: Label?) { span(count, l.map(intern) ?? -1) }
  func add(_ n: NodeID, _ l: Label) {
    let i = intern(l)
    if own[n.index]?.contains(i) != true { own[n.index, default: []].append(i) }
  }

  func direct(_ n: NodeID) -> (Label?, Bool) {
    if let o = own[n.index]?.last { return (list[Int(o)], true) }
    let s = span(of: n.index)
    return (s >= 0 && behind(n.index) == nil ? list[Int(s)] : nil, false)
  }
  private func place(_ n: Int32) -> Int32 { own[n]?.last ?? span(of: n) }
  private func span(of n: Int32) -> Int32 {
    var low = 0, high = spans.count
    while low < high {
      let m = (low + high) / 2
      if spans[m].start <= n { low = m + 1 } else { high = m }
    }
    return low > 0 ? spans[low - 1].label : -1
  }
  private func behind(_ n: Int32) -> Source? {
    var low = 0, high = sources.count
    while low < high {
      let m = (low + high) / 2
      if sources[m].start <= n { low = m + 1 } else { high = m }
    }
    return low > 0 && sources[low - 1].node >= 0 ? sources[low - 1] : nil
  }

  /// All labels of a node, given one by one first, then that of the place where it, or what it was derived from, was recorded.
  func all(_ n: NodeID) -> [Label] {
    var found: [Int32] = [], m = n.index
    while true {
      for l in (own[m] ?? []).reversed() where !found.contains(l) { found.append(l) }
      guard let s = behind(m) else { break }
      m = s.node
    }
    let here = span(of: m)
    if here >= 0, !found.contains(here) { found.append(here) }
    return found.map { list[Int($0)] }.filter { !$0.text.isEmpty || !$0.file.isEmpty }
  }

  /// The end of the chain of sources: the node of the host's, the sweep (that of the last derivative), and the label.
  func root(_ n: NodeID) -> (node: NodeID, sweep: Int32, label: Int32) {
    var m = n.index, sweep: Int32 = 0, label: Int32 = -1
    while true {
      if label < 0, let l = own[m]?.last { label = l }
      guard let s = behind(m) else { break }
      if sweep == 0, s.sweep != Sweep.copy.rawValue { sweep = s.sweep }
      m = s.node
    }
    if label < 0 { label = place(m) }
    return (NodeID(m), sweep, label)
  }
  func label(_ i: Int32) -> Label { list[Int(i)] }

  /// Nodes of `to` from `count` on come from `n` of another tape.
  func carry(from source: Tape, _ n: NodeID, _ count: Int) { span(count, source.moved(n).map(intern) ?? -1) }
}

extension Tape {
  /// What a node's copy on another tape is called: its label, the sweep that made it, and of which operator.
  func moved(_ n: NodeID) -> Label? {
    let r = labels.root(n), known = r.label >= 0 ? labels.label(r.label) : nil
    var sweep = r.sweep, op = record(r.node).op
    if let known, known.sweep != 0 { (sweep, op) = (known.sweep, known.op) }
    if sweep == 0 { op = 0 }
    if known == nil, sweep == 0 { return nil }
    return Label(text: known?.text ?? "", file: known?.file ?? "", line: known?.line ?? 0, sweep: sweep, op: op)
  }
  /// In files: without places, which are of the machine that wrote them.
  func written(_ n: NodeID) -> Label? {
    guard var l = moved(n), !l.text.isEmpty else { return nil }
    (l.file, l.line) = ("", 0)
    return l
  }

  /// `node` is called `text`, or stands at `file`:`line` of the host's program, or both.
  package func label(_ node: NodeID, _ l: Label) {
    guard failure == nil else { return }
    guard contains(node), !isTuple(node) else { fail(.node, "label: the operand is not a node of this tape"); return }
    labels.add(node, l)
  }
  /// What is recorded from now on stands there.
  package func label(from l: Label?) { labels.from(count, l) }
  /// The text that the host gave this very node, or the run of nodes that it is in (not own); nil where there is none, or where it was derived from another.
  package func called(_ n: NodeID) -> (text: String, isOwn: Bool)? {
    guard labels.isUsed, contains(n) else { return nil }
    let (l, own) = labels.direct(n)
    return l.flatMap { $0.text.isEmpty || $0.sweep != 0 ? nil : ($0.text, own) }
  }
  package func allLabels(_ n: NodeID) -> [Label] { contains(n) ? labels.all(n) : [] }

  package func origin(_ n: NodeID) -> Origin {
    guard contains(n) else { return Origin(node: .none, sweep: .none, label: nil, op: OpCode(.constant)) }
    let r = labels.root(n)
    var o = Origin(node: r.node, sweep: Sweep(rawValue: r.sweep) ?? .none, label: nil, op: op(r.node))
    if r.label >= 0 {
      let l = labels.label(r.label)
      o.label = l.text.isEmpty && l.file.isEmpty ? nil : l
      if l.sweep != 0, o.sweep == .none { (o.sweep, o.op) = (Sweep(rawValue: l.sweep) ?? .none, OpCode(raw: l.op)) }
    }
    return o
  }
}
