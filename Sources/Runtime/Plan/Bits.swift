import CKernels
import Tape

/// Masks that outlive the steps around them (what relu, select, dropout and max leave for the way back) lie in memory eight to a byte. Clusters pack and
/// unpack them block by block, in registers; products read their masks by the bit, which they do only where a result is not finite.
extension Values {
  /// Elements below which a mask stays bytes, and steps between maker and last reader.
  nonisolated(unsafe) static var least = 4096   // tests change it
  static let apart: Int32 = 3

  mutating func packMasks(_ g: Graph, _ c: borrowing Clusters) throws(Failure) {
    var any = false
    let items = g.items, count = g.count
    let may = try Memory(count, filling: false)
    for p in 0 ..< count where items[p].kind == .block && items[p].type >= 0 && g.dtype(p) == 6 && items[p].value >= 0 && !items[p].weaves && g.elements(p) >= Values.least {
      let v = list[Int(items[p].value)]
      guard v.parent < 0, v.origin == .step, v.last - v.def >= Values.apart || v.pinned else { continue }
      may[p] = true
      any = true
    }
    if !any { return }
    for s in g.stages { for o in s.outputs { may[g.home(Int(items[Int(g.position[o.i])].root))] = false } }
    for p in 0 ..< count {
      switch items[p].kind {
      case .host, .constant, .array, .view: continue
      default: break
      }
      let r = g.record(p), block = items[p].kind == .block && !items[p].copies
      for k in 0 ..< Int(r.arity) {
        let o = g.operand(r, k), q = g.home(Int(items[o].root))
        guard may[q] else { continue }
        let whole = items[p].kind != .piece && q == Int(items[o].root) && g.isFull(o)
        may[q] = whole && (block || items[p].kind == .kernel && r.op == Structural.matmul.rawValue && k >= 2)
      }
    }
    for v in 0 ..< list.count where list[v].parent >= 0 {
      let p = Int(list[Int(list[v].parent)].position)
      if p >= 0 { may[p] = false }
    }
    for p in 0 ..< count where may[p] {
      hasBits = true
      let v = Int(items[p].value)
      list[v].bits = true
      list[v].bytes = up((list[v].count + 7) / 8, 8)
    }
  }
}
