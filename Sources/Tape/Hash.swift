import CKernels

extension Tape {
  /// Rows by name: their numbers change when rows are added.
  private static let nameHashes: [UInt16: UInt64] = {
    var table: [UInt16: UInt64] = [:]
    for raw in (0 ..< UInt16(CK_ROW_COUNT)).map({ $0 }) + Structural.allCases.map(\.rawValue) {
      table[raw] = OpCode(raw: raw).name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
    return table
  }()

  /// A fingerprint of the programs behind `outputs`, independent of the order of recording: nodes are numbered by first visit, depth
  /// first by input slot. nil on error.
  package func fingerprint(_ inputs: [NodeID], _ outputs: [NodeID]) -> UInt64? {
    guard check("hash", inputs, "input"), check("hash", outputs, "output"), let nodes = order(outputs), var number = PerNode<Int32>(self, -1) else { return nil }
    var place: [NodeID: Int] = [:]
    for (i, n) in inputs.enumerated() { place[n] = i }
    var h: UInt64 = 0xCBF2_9CE4_8422_2325
    func mix(_ v: UInt64) {
      h = (h ^ v) &* 0x9E37_79B9_7F4A_7C15
      h ^= h >> 32
    }
    func mix(_ t: TensorType) {
      mix(UInt64(t.dtype.rawValue) | UInt64(t.rank) << 8)
      for n in t.shape { mix(UInt64(n)) }
    }
    for k in 0 ..< nodes.count {
      let n = nodes[k], r = record(n)
      number[n] = Int32(k)
      mix(Tape.nameHashes[r.op] ?? 0)
      mix(UInt64(r.arity))
      if r.type >= 0 { mix(types[Int(r.type)]) }
      switch Structural(rawValue: r.op) {
      case .input:
        guard let i = place[n] else { fail(.invalid, "hash: an output depends on an input that is not listed"); return nil }
        mix(UInt64(i))
      case .capture: mix(UInt64(UInt32(bitPattern: r.a)))
      case .constant: mix(constantBits(n))
      case .array: mix(arrays[Int(r.a)].hash)
      case .scan, .cond, .whileLoop:
        let list = bodies(of: n)
        for body in list {
          guard let b = body.tape.fingerprint(body.inputs.filter { body.tape.structural($0) == .input }, body.outputs) else { adopt(body.tape); return nil }
          mix(b)
        }
        for v in attrs(n).dropFirst(list.count) { mix(UInt64(bitPattern: Int64(v))) }
      case .host, .custom:
        // By name: numbers and tokens are this tape's.
        let a = attrs(n)
        for b in (r.op == Structural.host.rawValue ? functions[a[0]].name : rules[a[0]].name).utf8 { mix(UInt64(b)) }
        for v in a.dropFirst(r.op == Structural.host.rawValue ? 2 : 1) { mix(UInt64(bitPattern: Int64(v))) }
        for t in tupleMembers(n) { mix(t) }
      default:
        if r.attrs != 0 { for v in attributes[Int(r.attrs)] { mix(UInt64(bitPattern: Int64(v))) } }
      }
      for slot in 0 ..< Int(r.arity) { mix(UInt64(UInt32(bitPattern: number[input(of: r, slot)]))) }
    }
    for o in outputs { mix(UInt64(UInt32(bitPattern: number[o]))) }
    return h == 0 ? 1 : h
  }
}
