import CKernels

/// Scratch arrays indexed by node, from the allocator that may refuse.
package struct PerNode<T: BitwiseCopyable>: ~Copyable {
  private var buffer = Buffer<T>()
  private let first: Int32
  /// For nodes from `first` to the last one there is now.
  package init?(_ tape: Tape, _ value: T, from first: Int32 = 0) {
    self.first = first
    guard buffer.resize(max(tape.count - Int(first), 1), filling: value) else {
      _ = tape.outOfMemory()
      return nil
    }
  }
  package subscript(_ n: NodeID) -> T {
    @inline(__always) get { buffer[Int(n.index - first)] }
    @inline(__always) set { buffer[Int(n.index - first)] = newValue }
  }
  package var count: Int { buffer.count }
}

extension Tape {
  /// The nodes that `outputs` depend on, each after its operands: depth first, by input slot, so that it does not depend on the
  /// order of recording. Nodes before `first` are left out: they depend on none from there on.
  /// With `derivatives`, the function behind a custom derivative is not looked at: its arguments are.
  package func order(_ outputs: [NodeID], from first: Int32 = 0, derivatives: Bool = false) -> Buffer<NodeID>? {
    guard failure == nil, var seen = PerNode<UInt8>(self, 0, from: first) else { return nil }
    var result = Buffer<NodeID>(), stack = Buffer<(NodeID, Int32)>()
    for o in outputs where contains(o) && o.index >= first && seen[o] == 0 {
      seen[o] = 1
      guard stack.append((o, 0)) else { _ = outOfMemory(); return nil }
      while stack.count > 0 {
        let (n, slot) = stack[stack.count - 1]
        let r = record(n)
        if slot < Int32(derivatives && r.op == Structural.custom.rawValue ? ruled(n) : Int(r.arity)) {
          stack[stack.count - 1] = (n, slot + 1)
          let x = input(of: r, Int(slot))
          if x.index >= first, seen[x] == 0 {
            seen[x] = 1
            guard stack.append((x, 0)) else { _ = outOfMemory(); return nil }
          }
        } else {
          stack.removeLast()
          guard result.append(n) else { _ = outOfMemory(); return nil }
        }
      }
    }
    return result
  }

  private func ruled(_ n: NodeID) -> Int { attrs(n)[1] + attrs(n)[2] }

  /// False, with the failure set, unless all are nodes (not tuples) of this tape.
  func check(_ name: String, _ nodes: [NodeID], _ what: String) -> Bool {
    guard failure == nil else { return false }
    for (i, n) in nodes.enumerated() {
      guard contains(n), records[n.i].type >= 0 else {
        fail(.node, "\(name): \(what) \(i) is not a node of this tape")
        return false
      }
    }
    return true
  }

  func checkDistinct(_ name: String, _ nodes: [NodeID]) -> Bool {
    guard Set(nodes).count == nodes.count else {
      fail(.invalid, "\(name): an input is given twice")
      return false
    }
    return true
  }

  func checkTypes(_ name: String, _ nodes: [NodeID], like others: [NodeID], _ what: String) -> Bool {
    for (i, (n, o)) in zip(nodes, others).enumerated() where typeID(n) != typeID(o) {
      fail(shape(n) == shape(o) ? .dtype : .shape, "\(name): \(what) \(i) is \(type(n).description), not \(type(o).description)")
      return false
    }
    return true
  }
}
