import CKernels
import Tape

/// Additions to products: where nothing else reads the product, its step adds what is added, tile by tile, while that is near. The bits are those of the two steps.
extension Graph {
  func fuseAdditions() throws(Failure) {
    let matmul = Structural.matmul.rawValue, add = OpCode(Binary.add).raw
    if !(0 ..< count).contains(where: { items[$0].kind == .kernel && record($0).op == matmul }) { return }
    let readers = try Memory<Int32>(count, filling: 0), joined = try Memory(count, filling: false)
    for p in 0 ..< count {
      switch items[p].kind {
      case .host, .constant, .array, .view, .piece: continue
      default: break
      }
      let r = record(p)
      for k in 0 ..< Int(r.arity) {
        let o = operand(r, k), q = home(Int(items[o].root))
        readers[q] += 1
        if items[p].kind == .block, items[q].kind == .block, q == Int(items[o].root), joins(p, o) { joined[q] = true }
      }
    }
    for s in stages { for o in s.outputs { readers[home(Int(items[Int(position[o.i])].root))] += 2 } }
    for list in tokens.values { for t in list { readers[home(t)] += 2 } }
    for p in 0 ..< count where items[p].kind == .block && record(p).op == add && !items[p].weaves && !joined[p] && dtype(p) <= 1 && elements(p) >= 256 {
      for slot in [1, 0] where try fuse(p, product: operand(record(p), slot), addend: operand(record(p), 1 - slot), readers) { break }
    }
  }

  private func fuse(_ p: Int, product o: Int, addend x: Int, _ readers: Memory<Int32>) throws(Failure) -> Bool {
    let q = Int(items[o].root), y = Int(items[x].root)
    guard items[q].kind == .kernel, record(q).op == Structural.matmul.rawValue, readers[q] == 1, isFull(o), elements(q) == elements(p), items[q].stage == items[p].stage,
          y != q, items[home(y)].kind != .scalar, items[y].kind != .block || span(y) != span(p) || items[y].weaves else { return false }
    let n = NodeID(items[q].node), shape = tape.shape(n), columns = shape[shape.count - 1]
    guard shape.count == 2 || tape.shape(tape.input(n, 1)).count == 2 && tape.attrs(n)[0] == 0, columns > 1 else { return false }
    let full = isFull(x)
    guard full || items[x].rep == 1 && elements(y) == columns else { return false }
    let r = record(q), first = more.count
    for k in 0 ..< Int(r.arity) { try more.add(Int32(operand(r, k))) }
    try more.add(Int32(full ? x : y))
    let few = r.arity < 3
    replace(p, Record(op: r.op, arity: r.arity + 1, type: r.type, a: few ? more[first] : Int32(first), b: few ? more[first + 1] : -1, c: few ? more[first + 2] : Graph.moreOperands,
                      attrs: r.attrs))
    additions[p] = (q, full ? columns : 0)
    items[p].kind = .kernel
    // Nobody looks at it any more.
    items[q].kind = .view
    items[q].root = items[operand(r, 0)].root
    return true
  }
}
