export default function setup(project: { provide(key: "martinet", value: string): void }): Promise<() => Promise<void>>;
