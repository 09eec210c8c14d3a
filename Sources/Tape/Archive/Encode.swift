import CKernels

/// Nodes are written in depth-first order from the outputs, and tables in the order of first use: the bytes follow from what is computed,
/// not from the order in which it was recorded.
extension Archive {
  /// The file as an array.
  package func packed() throws(Failure) -> [UInt8] {
    let b = try encoded()
    return Array(UnsafeRawBufferPointer(start: b.base, count: b.count))
  }

  package func encoded() throws(Failure) -> Buffer<UInt8> {
    let e = Encoder()
    var places: [[UInt32]] = functions.map { _ in [] }, tapeOf = [Int](repeating: -1, count: functions.count)
    for (i, f) in functions.enumerated() where tapeOf[i] < 0 {
      let group = functions.indices.filter { functions[$0].tape === f.tape }
      let lists = group.map { functions[$0].outputs } + group.map { functions[$0].inputs }, inputs = Set(lists[group.count...].joined())
      // Guards that inputs of these functions decide.
      let guards = f.tape.guards.filter { f.tape.inputsReached([$0.node], cut: Array(inputs)).isEmpty }
      let (number, found) = try e.encode(f.tape, lists, body: nil, guards)
      for (k, g) in group.enumerated() {
        tapeOf[g] = number
        places[g] = found[group.count + k] + found[k]
      }
    }
    let w = Words()
    try w.add(functions.count)
    for (i, f) in functions.enumerated() {
      try w.add(f.name)
      try w.add(tapeOf[i])
      for (names, first) in [(f.inputNames, 0), (f.outputNames, f.inputs.count)] {
        try w.add(names.count)
        for (k, name) in names.enumerated() {
          try w.add(places[i][first + k])
          try w.add(name)
        }
      }
      try w.add(f.options.count)
      for o in f.options {
        try w.add(o.name)
        try w.add(long: o.value.bitPattern)
      }
      try w.add(f.aliases.count)
      for a in f.aliases {
        try w.add(a.output)
        try w.add(a.input)
      }
    }
    let n = Words()
    try n.add(notes.count)
    for note in notes {
      try n.add(note.key)
      try n.add(note.text)
    }
    return try e.assemble(functions: w, notes: n)
  }
}

private final class Encoder {
  private var operators: [String] = [], operatorNumber = [Int32](repeating: -1, count: 4096)
  private var types: [TensorType] = [], typeNumber: [TensorType: UInt32] = [:]
  private var attributes: [[Int]] = [], attributeNumber: [[Int]: UInt32] = [:]
  private var blobs: [(tape: Tape, data: UnsafeRawPointer, bytes: Int)] = [], blobsByHash: [UInt64: [Int]] = [:]
  private var labels: [Label] = [], labelNumber: [Label: Int] = [:], runs: [[(node: Int, label: Int)]] = []
  private var tapes: [Words] = [], bodies: [ObjectIdentifier: Int] = [:]

  private func number(_ op: OpCode) -> UInt32 {
    if operatorNumber[Int(op.raw)] < 0 {
      operatorNumber[Int(op.raw)] = Int32(operators.count)
      operators.append(op.name)
    }
    return UInt32(operatorNumber[Int(op.raw)])
  }
  private func number(_ l: Label) -> Int {
    if let n = labelNumber[l] { return n }
    labelNumber[l] = labels.count
    labels.append(l)
    if l.sweep > 0 { _ = number(OpCode(raw: l.op)) }
    return labels.count - 1
  }
  private func number(_ t: TensorType) -> UInt32 {
    if let n = typeNumber[t] { return n }
    typeNumber[t] = UInt32(types.count)
    types.append(t)
    return UInt32(types.count - 1)
  }
  private func number(_ a: [Int]) -> UInt32 {
    if let n = attributeNumber[a] { return n }
    attributeNumber[a] = UInt32(attributes.count)
    attributes.append(a)
    return UInt32(attributes.count - 1)
  }
  private func number(_ a: ArrayConstant, of tape: Tape) -> UInt32 {
    let same = blobsByHash[a.hash]?.first { blobs[$0].bytes == a.bytes && UnsafeRawBufferPointer(start: blobs[$0].data, count: a.bytes).elementsEqual(UnsafeRawBufferPointer(start: a.data, count: a.bytes)) }
    if let same { return UInt32(same) }
    blobsByHash[a.hash, default: []].append(blobs.count)
    blobs.append((tape, UnsafeRawPointer(a.data), a.bytes))
    return UInt32(blobs.count - 1)
  }

  /// A body that two loops share is written once; two that happen to be equal stay two, or loops would merge and the hash would change.
  /// Loops in loops are as deep as tapes may be: this recurses no deeper.
  private func number(_ b: Body) throws(Failure) -> Int {
    if let n = bodies[ObjectIdentifier(b)] { return n }
    let n = try encode(b.tape, [b.outputs, b.inputs], body: b).number
    bodies[ObjectIdentifier(b)] = n
    return n
  }

  /// The section of these nodes and what they depend on, and where each of them stands in it.
  func encode(_ t: Tape, _ lists: [[NodeID]], body: Body?, _ guards: [Guard] = []) throws(Failure) -> (number: Int, places: [[UInt32]]) {
    if let f = t.failure { throw f }
    guard let nodes = t.order(lists.flatMap { $0 } + guards.map(\.node)), var place = PerNode<Int32>(t, -1) else {
      t.failure = nil
      throw refused
    }
    let w = Words(), isLabelled = t.labels.isUsed
    var marks: [(node: Int, label: Int)] = []
    try w.add(body == nil ? 0 : 1)
    try w.add(nodes.count)
    var known = [Int64](repeating: -1, count: t.types.count)
    func typed(_ id: Int32) -> UInt32 {
      if id < 0 { return Format.tuple }
      if known[Int(id)] < 0 { known[Int(id)] = Int64(number(t.types[Int(id)])) }
      return UInt32(known[Int(id)])
    }
    for k in 0 ..< nodes.count {
      let n = nodes[k], r = t.record(n), op = OpCode(raw: r.op)
      place[n] = Int32(k)
      if isLabelled {
        let l = t.written(n).map { number($0) + 1 } ?? 0
        if l != marks.last?.label ?? 0 { marks.append((k, l)) }
      }
      try w.add(number(op) | UInt32(r.arity) << 16)
      for slot in 0 ..< Int(r.arity) { try w.add(UInt32(bitPattern: place[t.input(of: r, slot)])) }
      guard let s = op.structural else { continue }
      try w.add(typed(r.type))
      switch s {
      case .input: break
      case .capture: throw Failure(.invalid, "archive: a function of a sub-tape depends on its outer tape; save the outer one's")
      case .constant: try w.add(long: t.constantBits(n))
      case .array: try w.add(number(t.arrays[Int(r.a)], of: t))
      case .host: throw Failure(.invalid, "archive: \(t.hostShape(n).function.name) is a function of the host's own, which no file can hold")
      case .custom:
        // A rule of the host's own stays with the host: what is loaded has the values, and no derivative.
        var a = t.attributes[Int(r.attrs)]
        let rule = t.rules[a[0]], bodies = (rule as? RecordedRule).flatMap { $0.isPortable ? [$0.forward, $0.backward] : nil } ?? [nil, nil]
        a[0] = 0
        try w.add(number(a))
        try w.add(rule.name)
        for b in bodies { try w.add(b == nil ? 0 : number(b.unsafelyUnwrapped) + 1) }
      default:
        var a = t.attributes[Int(r.attrs)]
        for i in bodySlots(s, a) { a[i] = try number(t.bodies[a[i]]) }
        try w.add(number(a))
      }
    }
    let places = lists.map { $0.map { UInt32(bitPattern: place[$0]) } }
    if body != nil {
      for list in places.reversed() {
        try w.add(list.count)
        for p in list { try w.add(p) }
      }
    } else {
      try w.add(guards.count)
      for g in guards {
        try w.add(UInt32(bitPattern: place[g.node]))
        try w.add(g.expected ? 1 : 0)
        try w.add(g.label)
      }
    }
    tapes.append(w)
    runs.append(marks)
    return (tapes.count - 1, places)
  }

  func assemble(functions: Words, notes: Words) throws(Failure) -> Buffer<UInt8> {
    let o = Words(), t = Words(), a = Words(), d = Words()
    try o.add(operators.count)
    for name in operators { try o.add(name) }
    try t.add(types.count)
    for type in types {
      try t.add(Int(type.dtype.rawValue))
      try t.add(type.rank)
      for n in type.shape { try t.add(long: UInt64(n)) }
    }
    try a.add(attributes.count)
    for list in attributes {
      try a.add(list.count)
      for v in list { try a.add(long: UInt64(bitPattern: Int64(v))) }
    }
    try d.add(long: UInt64(blobs.count))
    for b in blobs { try d.add(long: UInt64(b.bytes)) }
    var parts: [(Format.Section, Int, Words)] = [(.operators, 0, o), (.types, 0, t), (.attributes, 0, a), (.data, 0, d)]
    parts += tapes.enumerated().map { (.tape, $0.offset, $0.element) }
    parts += [(.functions, 0, functions), (.notes, 0, notes)]
    if !labels.isEmpty {
      let l = Words()
      try l.add(labels.count)
      for one in labels {
        try l.add(one.text)
        try l.add(UInt32(bitPattern: one.sweep))
        try l.add(one.sweep > 0 ? number(OpCode(raw: one.op)) + 1 : 0)
      }
      for marks in runs {
        try l.add(marks.count)
        for m in marks {
          try l.add(m.node)
          try l.add(m.label)
        }
      }
      parts.append((.labels, 0, l))
    }
    // Constants stand behind their sizes, each at a multiple of 64.
    func size(_ s: Format.Section, _ w: Words) -> Int { s == .data ? blobs.reduce(w.bytes.count) { Format.up($0) + $1.bytes } : w.bytes.count }
    let top = Format.header + parts.count * Format.entry
    let total = parts.reduce(top) { Format.up($0) + size($1.0, $1.2) }
    var file = Buffer<UInt8>()
    guard parts.count < 1 << 30, file.resize(total, filling: 0), let base = file.base.map({ UnsafeMutableRawPointer($0) }) else { throw refused }
    func put(_ v: UInt32, _ at: Int) { (base + at).storeBytes(of: v.littleEndian, as: UInt32.self) }
    func put(long v: UInt64, _ at: Int) { (base + at).storeBytes(of: v.littleEndian, as: UInt64.self) }
    for (i, b) in Format.magic.enumerated() { base.storeBytes(of: b, toByteOffset: i, as: UInt8.self) }
    put(labels.isEmpty ? Format.version : Format.labelled, 8)
    put(UInt32(parts.count), 12)
    put(long: UInt64(total), 16)
    var at = top
    for (i, (s, k, w)) in parts.enumerated() {
      let begin = Format.up(at)
      at = begin + w.bytes.count
      if let p = w.bytes.baseAddress { (base + begin).copyMemory(from: p, byteCount: w.bytes.count) }
      if s == .data {
        for b in blobs {
          at = Format.up(at - begin) + begin
          (base + at).copyMemory(from: b.data, byteCount: b.bytes)
          at += b.bytes
        }
      }
      let e = Format.header + i * Format.entry
      put(s.word, e)
      put(UInt32(k), e + 4)
      put(long: UInt64(begin), e + 8)
      put(long: UInt64(at - begin), e + 16)
      put(long: Format.checksum(UnsafeRawBufferPointer(start: base + begin, count: at - begin)), e + 24)
    }
    put(long: Format.checksum(UnsafeRawBufferPointer(start: base + 32, count: top - 32), Format.checksum(UnsafeRawBufferPointer(start: base, count: 24))), 24)
    return file
  }
}

/// Which attributes of a row are numbers of bodies.
func bodySlots(_ s: Structural, _ a: [Int]) -> Range<Int> {
  switch s {
  case .scan, .whileLoop: 0 ..< 1
  case .cond: 0 ..< a.count
  default: 0 ..< 0
  }
}
