/// Functions of tapes with names, to be kept in a file: see docs/archive.md.
package final class Archive {
  package struct Function {
    package let name: String
    package let tape: Tape
    package let inputs: [NodeID], outputs: [NodeID]
    package let inputNames: [String], outputNames: [String]
    /// Of the program that is made of it.
    package var options: [(name: String, value: Double)] = []
    package var aliases: [(output: Int, input: Int)] = []
  }
  package internal(set) var functions: [Function] = []
  package internal(set) var notes: [(key: String, text: String)] = []

  package init() {}

  package func index(_ name: String) -> Int? { functions.firstIndex { $0.name == name } }

  /// Names may be empty; those that are not differ from each other.
  package func add(_ name: String, _ tape: Tape, inputs: [NodeID], names: [String], outputs: [NodeID], _ outputNames: [String]) throws(Failure) {
    guard !name.isEmpty, index(name) == nil else { throw Failure(.invalid, name.isEmpty ? "archive: a function has no name" : "archive: there is a function \"\(name)\" already") }
    if let f = tape.failure { throw f }
    guard inputs.count == names.count, outputs.count == outputNames.count else { throw Failure(.invalid, "archive: \(name): as many names as inputs and outputs are wanted") }
    for (what, list) in [("input", names), ("output", outputNames)] {
      let given = list.filter { !$0.isEmpty }
      guard Set(given).count == given.count else { throw Failure(.invalid, "archive: \(name): two \(what)s have one name") }
    }
    for (what, list) in [("input", inputs), ("output", outputs)] {
      for (i, n) in list.enumerated() where !tape.contains(n) || tape.isTuple(n) { throw Failure(.node, "archive: \(name): \(what) \(i) is not a node of this tape") }
    }
    guard Set(inputs).count == inputs.count else { throw Failure(.invalid, "archive: \(name): an input is given twice") }
    let unlisted = tape.inputsReached(outputs, cut: inputs)
    if let f = tape.failure { throw f }
    guard unlisted.isEmpty else { throw Failure(.invalid, "archive: \(name): an output depends on an input that is not listed") }
    functions.append(Function(name: name, tape: tape, inputs: inputs, outputs: outputs, inputNames: names, outputNames: outputNames))
  }

  /// A function's outputs on a tape, of its nodes.
  package func apply(_ name: String, on t: Tape, _ x: [NodeID]) throws(Failure) -> [NodeID] {
    guard let i = index(name) else { throw unknown(name) }
    let f = functions[i]
    guard x.count == f.inputs.count else { throw Failure(.invalid, "archive: \(name) takes \(f.inputs.count) inputs, not \(x.count)") }
    guard t.check("archive: \(name)", x, "input") else { throw t.failure ?? refused }
    for (i, (n, m)) in zip(x, f.inputs).enumerated() where t.type(n) != f.tape.type(m) {
      throw Failure(t.shape(n) == f.tape.shape(m) ? .dtype : .shape, "archive: \(name): input \(i) is \(t.type(n).description), not \(f.tape.type(m).description)")
    }
    let y = t.rewrite(f.tape, f.outputs, Dictionary(uniqueKeysWithValues: zip(f.inputs, x))) { _, _ in nil }
    if let wrong = t.failure { throw wrong }
    return y
  }

  package func set(_ function: String, option: String, _ value: Double) throws(Failure) {
    guard let f = index(function) else { throw unknown(function) }
    guard value.isFinite else { throw Failure(.invalid, "archive: \(function): option \(option) is \(value)") }
    functions[f].options.removeAll { $0.name == option }
    functions[f].options.append((option, value))
    functions[f].options.sort { $0.name < $1.name }
  }

  package func alias(_ function: String, output: Int, input: Int) throws(Failure) {
    guard let f = index(function) else { throw unknown(function) }
    guard output >= 0, input >= 0, output < functions[f].outputs.count, input < functions[f].inputs.count else {
      throw Failure(.invalid, "archive: \(function): output \(output) and input \(input) of \(functions[f].outputs.count) and \(functions[f].inputs.count)")
    }
    if functions[f].aliases.contains(where: { $0 == (output, input) }) { return }
    functions[f].aliases.append((output, input))
  }

  /// An empty text takes the note away.
  package func note(_ key: String, _ text: String) throws(Failure) {
    guard !key.isEmpty else { throw Failure(.invalid, "archive: a note has no key") }
    notes.removeAll { $0.key == key }
    if !text.isEmpty { notes.append((key, text)) }
    notes.sort { $0.key < $1.key }
  }

  package func unknown(_ name: String) -> Failure {
    let known = functions.map(\.name).joined(separator: ", ")
    return Failure(.invalid, "archive: no function is called \"\(name)\"; \(known.isEmpty ? "there are none" : "there are " + known)")
  }
}

/// The name under which modules that have an `Archive` of their own reach this one.
package typealias CoreArchive = Archive
